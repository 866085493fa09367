/** What public dashboards for other exporters find of ours with the compat rules, as docs/migration.md lists it. */
import { assertEquals } from "@std/assert";
import { eventually, type ExporterProcess, ROOT, startExporter } from "../support/exporter_process.ts";
import { needs } from "../support/programs.ts";
import {
  copyMonitoring,
  type Scraper,
  startPrometheus,
  startVictoriaMetrics,
  startVmalert,
} from "../support/scrapers.ts";

/** A dashboard by the names that its queries ask for; its JSON stays where it is. */
interface PublicDashboard {
  /** The exporter that it was made for. */
  readonly peer: string;
  readonly title: string;
  readonly source: string;
  /** The labels of each metric that its queries select, group or show by. */
  readonly metrics: Readonly<Record<string, readonly string[]>>;
}

const DASHBOARDS: PublicDashboard[] = JSON.parse(
  Deno.readTextFileSync(`${ROOT}tests/fixtures/monitoring/public_dashboards.json`),
);
/** The names that are the peer's own; what else a dashboard asks for comes from node_exporter or Prometheus. */
const PREFIX: Readonly<Record<string, RegExp>> = {
  "cAdvisor": /^(?:container|machine|cadvisor)_/,
  "dcgm-exporter": /^DCGM_/,
  "nvidia_gpu_exporter": /^nvidia_smi_/,
};
/** What the simulated GPU has not, and the rules' unit tests have. */
const UNSIMULATED: Readonly<Record<string, string>> = {
  nvidia_smi_compute_app_info: "yes, with --processes",
  nvidia_smi_compute_app_used_memory_bytes: "yes, with --processes, without process_name",
  nvidia_smi_fan_speed_ratio: "yes, where there are fans",
  nvidia_smi_xid_errors_total: "yes, after the first",
  nvidia_smi_xid_last_timestamp_seconds: "yes, after the first",
};

const DOCUMENT = `${ROOT}docs/migration.md`;
const BEGIN = "<!-- Public dashboards: written by GOLDEN_UPDATE=1 and tests/monitoring/compat_test.ts -->\n";
const END = "<!-- The end of the public dashboards -->\n";

Deno.test({
  name: "Prometheus and VictoriaMetrics answer public dashboards as docs/migration.md lists",
  ...needs("prometheus", "victoria-metrics", "vmalert"),
  async fn(t): Promise<void> {
    await using gpu = await startSimulated("gpu", ["--pcie-throughput"]);
    await using docker = await startSimulated("docker", []);
    const workers = { "fleet.yml": target("gpu", gpu) + target("docker", docker) };
    using copy = copyMonitoring({ workers, interval: "1s" });
    const file = copy.scrape("prometheus.yml");
    Deno.writeTextFileSync(file, Deno.readTextFileSync(file).replaceAll("# - ../rules/", "- ../rules/"));
    await using prometheus = await startPrometheus(file);
    await using victoria = await startVictoriaMetrics(copy.scrape("victoria-metrics.yml"));
    await using _vmalert = startVmalert(victoria.url, `${copy.root}/rules/compat-*.yml`);
    if (Deno.env.has("GOLDEN_UPDATE")) await update(prometheus);
    const expected = listed().split("\n");
    for (const [name, scraper] of Object.entries({ prometheus, victoria })) {
      await t.step(name, async () => {
        // Rules build on rules, and a new series takes a while to be found.
        await eventually(async () => assertEquals((await tablesFrom(scraper)).split("\n"), expected), 60_000);
      });
    }
  },
});

/** The tables that the document has. */
function listed(): string {
  return Deno.readTextFileSync(DOCUMENT).split(BEGIN)[1]?.split(END)[0] ?? "";
}

/** Writes the tables into the document, once they no longer change. */
async function update(scraper: Scraper): Promise<void> {
  let before = "";
  const tables = await eventually(async () => {
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    const now = await tablesFrom(scraper);
    if (now !== before) throw new Error(`The tables still change: ${before = now}`);
    return now;
  }, 60_000);
  const [head = "", tail = ""] = Deno.readTextFileSync(DOCUMENT).split(BEGIN + listed() + END);
  Deno.writeTextFileSync(DOCUMENT, head + BEGIN + tables + END + tail);
}

/** One table for each peer, as deno fmt writes it. */
async function tablesFrom(scraper: Scraper): Promise<string> {
  let text = "";
  for (const [peer, prefix] of Object.entries(PREFIX)) {
    const dashboards = DASHBOARDS.filter((dashboard) => dashboard.peer === peer);
    text += `\n**${peer}**\n\n`;
    for (const [index, { title, source, metrics }] of dashboards.entries()) {
      const all = Object.keys(metrics);
      const others = all.filter((name) => !prefix.test(name)).length;
      text += `${index + 1}. [${title}](${source}):\n`;
      text += `   ${others} of its ${all.length} names are not ${peer}'s\n`;
    }
    const names = new Set(
      dashboards.flatMap(({ metrics }) => Object.keys(metrics)).filter((name) => prefix.test(name)),
    );
    const rows = await Promise.all(
      [...names].sort().map(async (name) => [
        `\`${name}\``,
        dashboards.flatMap(({ metrics }, index) => name in metrics ? [index + 1] : []).join(", "),
        await answer(scraper, name, [...new Set(dashboards.flatMap(({ metrics }) => metrics[name] ?? []))]),
      ]),
    );
    text += `\n${tableOf(["name", "asked by", "answered"], rows)}`;
  }
  return `${text}\n`;
}

/** Whether a metric has series, and which of the labels that are asked for none of them has. */
async function answer(scraper: Scraper, metric: string, labels: readonly string[]): Promise<string> {
  const unsimulated = UNSIMULATED[metric];
  if (unsimulated !== undefined) return unsimulated;
  if ((await scraper.query(metric)).length === 0) return "no";
  const missing: string[] = [];
  for (const label of [...labels].sort()) {
    if ((await scraper.query(`${metric}{${label}!=""}`)).length === 0) missing.push(label);
  }
  return missing.length === 0 ? "yes" : `yes, without ${missing.join(", ")}`;
}

function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((cell, column) =>
    Math.max(cell.length, ...rows.map((row) => row[column]?.length ?? 0))
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |\n`;
  return [head, widths.map((width) => "-".repeat(width)), ...rows].map(line).join("");
}

async function startSimulated(name: "gpu" | "docker", args: string[]): Promise<ExporterProcess> {
  return await startExporter(name, {
    script: `simulation/${name}.ts`,
    permissions: ["--no-prompt", "-A"],
    args,
  });
}

function target(name: string, { port }: ExporterProcess): string {
  return `- targets: ["127.0.0.1:${port}"]\n  labels:\n    worker: enc-1\n    __exporters: ${name}\n`;
}
