/**
 * Writes the table of faults into tests/README.md: `deno task faults:table`.
 *
 * @module
 */
import { CPU_FAULTS } from "./cpu.ts";
import { DOCKER_FAULTS } from "./docker.ts";
import { type Fault, FAULT_KINDS, type FaultSet, type Outcome } from "./fault.ts";
import { FFMPEG_FAULTS } from "./ffmpeg.ts";
import { GPU_FAULTS } from "./gpu.ts";

const PATH = new URL("../README.md", import.meta.url);
const BEGIN = "<!-- The table of faults: written by deno task faults:table -->\n";
const END = "<!-- The end of the table of faults -->\n";

/** A set as the table sees it. */
type Tabled = Pick<FaultSet, "exporter" | "impossible"> & {
  readonly faults: readonly Omit<Fault, "inject" | "heal" | "check">[];
};

/** The faults of all exporters. */
export const FAULT_SETS: readonly Tabled[] = [CPU_FAULTS, GPU_FAULTS, FFMPEG_FAULTS, DOCKER_FAULTS];

const OUTCOMES: Readonly<Record<Outcome, string>> = {
  "withheld": "values absent",
  "goes on": "values go on",
  "no answer": "no answer meanwhile, then true values at once",
  "ends": "it ends with exit code 1, to be started again",
};

/** The table, as Markdown. */
export function faultTable(): string {
  const rows = FAULT_KINDS.flatMap((kind) =>
    FAULT_SETS.flatMap(({ exporter, faults, impossible }) => [
      ...faults.filter((fault) => fault.kind === kind).map((fault) => [
        kind,
        exporter,
        fault.what,
        metricsOf(fault),
        healthOf(fault),
      ]),
      ...(impossible[kind] ? [[kind, exporter, `cannot be: ${impossible[kind]}`, "", ""]] : []),
    ])
  );
  const head = ["Kind", "Exporter", "What happens", "On /metrics", "On /health"];
  return [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |\n`).join("");
}

function metricsOf({ values, up, reason, metrics }: Tabled["faults"][number]): string {
  const parts = [OUTCOMES[values], metrics];
  if (values === "withheld" && up !== 1) parts.push("`exporter_source_up` 0");
  if (reason) parts.push(`reason \`${reason}\``);
  return parts.filter(Boolean).join("; ");
}

function healthOf({ values, health, healthAfter }: Tabled["faults"][number]): string {
  if (values === "no answer") return "";
  if (values === "ends") return `on standard error: “${health}”`;
  const during = health === undefined ? "ok" : `degraded: “…${health}…”`;
  return healthAfter === undefined ? during : `${during}; afterwards “…${healthAfter}…”`;
}

/** The README with the table in it. @throws {Error} when its place is not marked */
export function withTable(readme: string): string {
  const [before, rest] = readme.split(BEGIN);
  const after = rest?.split(END)[1];
  if (after === undefined) throw new Error(`Cannot find the place of the table in ${PATH.pathname}`);
  return `${before}${BEGIN}\n${faultTable()}\n${END}${after}`;
}

if (import.meta.main) await Deno.writeTextFile(PATH, withTable(await Deno.readTextFile(PATH)));
