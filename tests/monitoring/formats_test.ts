/** What real scrapers make of a page, in each format that they ask for. */
import { assertAlmostEquals, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { eventually, startExporter } from "../support/exporter_process.ts";
import { needs } from "../support/programs.ts";
import { type Scraper, startPrometheus, startVictoriaMetrics } from "../support/scrapers.ts";
import { SteadyPower } from "../support/steady_power.ts";

const WATTS = { "package-0": 42, "dram": 7 };
const FORMATS = {
  text: ["text/plain;version=0.0.4", "text/plain; version=0.0.4; charset=utf-8"],
  openmetrics: ["application/openmetrics-text;version=1.0.0", "application/openmetrics-text; version=1.0.0"],
} as const;

const PATHS = Object.fromEntries(
  Object.keys(FORMATS).map((name) => [name, `metrics_path: /${name}/metrics`]),
);

/** What Prometheus can be made to ask for, since which version; each brings Accept headers of its own. */
const PROTOCOLS = [
  { name: "OpenMetricsText0.0.1", since: [2, 49] },
  { name: "OpenMetricsText1.0.0", since: [2, 49] },
  { name: "PrometheusText0.0.4", since: [2, 49] },
  { name: "PrometheusProto", since: [2, 49] },
  { name: "PrometheusText1.0.0", since: [3, 0] },
] as const;

const SCRAPERS: [string, (config: string) => Promise<Scraper>][] = [
  ["prometheus", startPrometheus],
  ["victoria-metrics", startVictoriaMetrics],
];

for (const [program, start] of SCRAPERS) {
  Deno.test({
    name: `${program} scrapes text and OpenMetrics and answers rapl_power_watts with the power that was set`,
    ...needs(program),
    async fn(): Promise<void> {
      using power = new SteadyPower({
        "intel-rapl/intel-rapl:0": { name: "package-0", watts: WATTS["package-0"] },
        "intel-rapl/intel-rapl:0/intel-rapl:0:0": { name: "dram", watts: WATTS.dram },
      });
      await using exporter = await startExporter("cpu", {
        args: [`--powercap=${power.root}`, "--interval=1s"],
        permissions: ["--no-prompt", `--allow-read=${power.root}`, "--allow-net=0.0.0.0"],
      });
      await using proxy = serveFormats(exporter.url);
      using folder = configFolder(proxy.port);
      await using scraper = await start(folder.file);
      for (const [job, [, contentType]] of Object.entries(FORMATS)) {
        for (const [zone, watts] of Object.entries(WATTS)) {
          await eventually(async () => {
            const labels = `{job="${job}",zone="${zone}",package="0"}`;
            const answered = await scraper.value(`rapl_power_watts${labels}`);
            // Reading and moving the counter take turns at a clock's mercy; on the page it is no nearer.
            assertAlmostEquals(answered, watts, watts * 0.05);
            // VictoriaMetrics keeps 15 digits.
            const isServed = proxy.served(job).some((page) =>
              powersOn(page).some((value) => Math.abs(value - answered) < 1e-12 * watts)
            );
            assertEquals(isServed, true, `nobody served ${answered}`);
            assertEquals(await scraper.value(`rapl_node_energy_joules_total{job="${job}"} > 0`) > 0, true);
          }, 20_000);
        }
        assertEquals(await scraper.value(`up{job="${job}"}`), 1);
        assertEquals(proxy.contentType(job).startsWith(contentType), true, proxy.contentType(job));
      }
    },
  });
}

Deno.test({
  name:
    "prometheus scrapes by each protocol that this version of it has, with the histogram of the exporter's own",
  ...needs("prometheus"),
  async fn(): Promise<void> {
    await using exporter = await startExporter("ffmpeg", {
      args: ["--host=127.0.0.1", "--port=0"],
      permissions: ["--no-prompt", "--allow-read", "--allow-net"],
    });
    const { stdout } = await new Deno.Command("prometheus", { args: ["--version"] }).output();
    const [, major = 0, minor = 0] =
      /version (\d+)\.(\d+)/.exec(new TextDecoder().decode(stdout))?.map(Number) ??
        [];
    const known = PROTOCOLS.filter(({ since: [most, least] }) =>
      major > most || (major === most && minor >= least)
    ).map(({ name }) => [name, `scrape_protocols: [${name}]`]);
    const jobs: Record<string, string> = { default: "", ...Object.fromEntries(known) };
    using folder = configFolder(exporter.port, jobs);
    await using scraper = await startPrometheus(folder.file);
    for (const job of Object.keys(jobs)) {
      await eventually(async () => {
        assertEquals(await scraper.value(`up{job="${job}"}`), 1, job);
        assertEquals(await scraper.value(`ffmpeg_speed_ratio_count{job="${job}"}`), 0, job);
        assertEquals(await scraper.value(`ffmpeg_speed_ratio_bucket{job="${job}",le="+Inf"}`), 0, job);
      }, 30_000);
    }
  },
});

/** Every value of rapl_power_watts on a page. */
function powersOn(page: string): number[] {
  return [...page.matchAll(/^rapl_power_watts\{.*\} (\S+)$/gm)].map(([, value]) => Number(value));
}

interface Proxy extends AsyncDisposable {
  readonly port: number;
  /** The pages that were served below `/<format>/metrics`. */
  served(format: string): readonly string[];
  contentType(format: string): string;
}

/** Passes scrapes on with one format each in the Accept header: neither scraper lets its user choose. */
function serveFormats(url: string): Proxy {
  const pages = new Map<string, string[]>();
  const contentTypes = new Map<string, string>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const format = new URL(request.url).pathname.split("/")[1] as keyof typeof FORMATS;
    const response = await fetch(`${url}/metrics`, { headers: { accept: FORMATS[format][0] } });
    const page = await response.text();
    const contentType = response.headers.get("content-type") ?? "";
    pages.set(format, [...pages.get(format) ?? [], page]);
    contentTypes.set(format, contentType);
    return new Response(page, { headers: { "content-type": contentType } });
  });
  return {
    port: server.addr.port,
    served: (format) => pages.get(format) ?? [],
    contentType: (format) => contentTypes.get(format) ?? "",
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** A configuration with jobs on a port, by name: a line of each. */
function configFolder(port: number, lines: Record<string, string> = PATHS): Disposable & { file: string } {
  const folder = Deno.makeTempDirSync({ prefix: "scrape-test-" });
  const file = join(folder, "scrape.yml");
  const jobs = Object.entries(lines).map(([job, line]) =>
    `  - job_name: ${job}
    ${line}
    static_configs:
      - targets: ["127.0.0.1:${port}"]
`
  );
  Deno.writeTextFileSync(file, `global:\n  scrape_interval: 1s\n\nscrape_configs:\n${jobs.join("")}`);
  return { file, [Symbol.dispose]: () => Deno.removeSync(folder, { recursive: true }) };
}
