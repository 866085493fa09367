/**
 * The CPU exporter on a simulated machine, for a demonstration without RAPL.
 *
 * Takes the exporter's own flags. The simulated powercap tree lies in a temporary folder until it ends.
 *
 * @module
 */
import { PROGRAM } from "../exporters/cpu/main.ts";
import { runExporter } from "../lib/exporter.ts";
import type { Exporter } from "../lib/program.ts";
import { SimulatedMachine } from "./powercap_machine.ts";

const STEP_MS = 100;

async function main(): Promise<number> {
  const root = await Deno.makeTempDir({ prefix: "powercap-demo-" });
  const machine = new SimulatedMachine(root);
  let lastMs = performance.now();
  const timer = setInterval(() => {
    const nowMs = performance.now();
    machine.advance((nowMs - lastMs) / 1000);
    lastMs = nowMs;
  }, STEP_MS);
  const start: typeof PROGRAM.start = (options): Exporter => {
    const exporter = PROGRAM.start(options);
    // The exporter gives back all that it does not name here, and the folder is to be removed at the end.
    return { ...exporter, keep: [...exporter.keep ?? [], { name: "write", path: root }] };
  };
  try {
    return await runExporter({ ...PROGRAM, start }, [`--powercap=${root}`, ...Deno.args], {
      simulated: "two processor packages under a changing load",
    });
  } finally {
    clearInterval(timer);
    machine[Symbol.dispose]();
    await Deno.remove(root, { recursive: true });
  }
}

if (import.meta.main) Deno.exit(await main());
