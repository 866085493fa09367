/**
 * Runs the exporters on simulated sources, side by side: `deno task demo`; with `--monitoring` also a Prometheus
 * that scrapes them and evaluates the rules, with the files of monitoring/ as they are.
 *
 * Everything that they show is marked as simulated, on their pages and by the metric `exporter_simulated`.
 *
 * @module
 */
import { CATALOG } from "../exporters/catalog.ts";
import { packageFlags } from "./package_flags.ts";
import { type ChildProgram, runChildren } from "./run_children.ts";

const PROMETHEUS = "http://127.0.0.1:9090";

async function main(args: readonly string[]): Promise<number> {
  const unknown = args.find((arg) => arg !== "--monitoring");
  if (unknown !== undefined) {
    print(`demo: Cannot use "${unknown}" as the only flag is "--monitoring"`);
    return 2;
  }
  const withMonitoring = args.length > 0;
  if (withMonitoring && !await isPrometheusInstalled()) {
    print('demo: Cannot find "prometheus": install it, with "apt install prometheus" for instance');
    return 1;
  }
  print("Simulated exporters (end with Ctrl-C):");
  for (const { port, measures } of Object.values(CATALOG)) print(`  http://127.0.0.1:${port}/  ${measures}`);
  if (!withMonitoring) return await runChildren(simulations());
  const data = await Deno.makeTempDir({ prefix: "prometheus-demo-" });
  const graph = `${PROMETHEUS}/graph?g0.tab=0&g0.range_input=5m&g0.expr=`;
  print("Prometheus, with the first results of the rules within half a minute:");
  print(`  ${graph}worker:energy_joules:rate1m  watts of the worker`);
  print(`  ${graph}worker:energy_joules_per_frame:ratio_rate1m  joules per frame`);
  print(`  ${PROMETHEUS}/alerts  what is wrong`);
  try {
    return await runChildren([...simulations(), prometheus(data)]);
  } finally {
    await Deno.remove(data, { recursive: true });
  }
}

function simulations(): ChildProgram[] {
  return Object.keys(CATALOG).filter(hasSimulation).map((name) => ({
    name,
    command: Deno.execPath(),
    args: ["run", ...packageFlags(name), "--no-prompt", "-A", `simulation/${name}.ts`],
  }));
}

function prometheus(data: string): ChildProgram {
  return {
    name: "prometheus",
    command: "prometheus",
    args: [
      "--config.file=monitoring/scrape/prometheus.yml",
      `--storage.tsdb.path=${data}`,
      `--web.listen-address=${new URL(PROMETHEUS).host}`,
      "--log.level=warn",
    ],
  };
}

function hasSimulation(name: string): boolean {
  try {
    return Deno.statSync(`simulation/${name}.ts`).isFile;
  } catch {
    return false;
  }
}

async function isPrometheusInstalled(): Promise<boolean> {
  try {
    return (await new Deno.Command("prometheus", { args: ["--version"] }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function print(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
}

if (import.meta.main) Deno.exit(await main(Deno.args));
