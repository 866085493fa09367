/**
 * A real Prometheus and a real VictoriaMetrics that scrape what a test serves.
 *
 * @module
 */
import { join } from "@std/path";
import { eventually, ROOT } from "./exporter_process.ts";

/** A series and its value, as the query API answers. */
export interface QueryResult {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A target that is scraped, as the targets API describes it. */
export interface Target {
  readonly labels: Readonly<Record<string, string>>;
  readonly scrapeUrl: string;
}

/** A running scraper; disposing of it ends it and removes its data. */
export interface Scraper extends AsyncDisposable {
  readonly url: string;
  /** Evaluates an expression now. @throws {Error} with the scraper's words when it cannot */
  query(expression: string): Promise<QueryResult[]>;
  /** The one value of an expression. @throws {Error} unless there is exactly one */
  value(expression: string): Promise<number>;
  targets(): Promise<Target[]>;
}

/** Starts Prometheus with a configuration file and waits until it answers. */
export async function startPrometheus(configFile: string): Promise<Scraper> {
  return await startScraper("prometheus", (data, address) => [
    `--config.file=${configFile}`,
    `--storage.tsdb.path=${data}`,
    `--web.listen-address=${address}`,
    "--log.level=warn",
  ]);
}

/** Starts a single-node VictoriaMetrics with a scrape configuration and waits until it answers. */
export async function startVictoriaMetrics(configFile: string): Promise<Scraper> {
  return await startScraper("victoria-metrics", (data, address) => [
    `-promscrape.config=${configFile}`,
    "-promscrape.config.strictParse",
    `-storageDataPath=${data}`,
    `-httpListenAddr=${address}`,
    // By default it hides the last 30 seconds.
    "-search.latencyOffset=0s",
    "-search.disableCache",
    "-loggerLevel=WARN",
  ]);
}

/** Starts vmalert, which evaluates rules on a VictoriaMetrics and writes their results there. */
export function startVmalert(url: string, rules: string): AsyncDisposable {
  const child = new Deno.Command("vmalert", {
    args: [
      `-rule=${rules}`,
      `-datasource.url=${url}`,
      `-remoteWrite.url=${url}`,
      "-remoteWrite.flushInterval=500ms",
      "-evaluationInterval=1s",
      `-httpListenAddr=127.0.0.1:${freePort()}`,
      "-loggerLevel=ERROR",
    ],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  return {
    async [Symbol.asyncDispose](): Promise<void> {
      child.kill("SIGKILL");
      await child.status;
    },
  };
}

async function startScraper(
  program: string,
  args: (data: string, address: string) => string[],
): Promise<Scraper> {
  const data = await Deno.makeTempDir({ prefix: `${program}-test-` });
  const address = `127.0.0.1:${freePort()}`;
  const child = new Deno.Command(program, {
    args: args(data, address),
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const url = `http://${address}`;
  const stderr = new Response(child.stderr).text();
  let ended = false;
  const status = child.status.finally(() => ended = true);
  const dispose = async (): Promise<void> => {
    if (!ended) child.kill("SIGKILL");
    await status;
    await stderr;
    await Deno.remove(data, { recursive: true });
  };
  try {
    await eventually(async () => {
      if (ended) return;
      const response = await fetch(`${url}/-/ready`);
      await response.body?.cancel();
      if (!response.ok) throw new Error(`${program} is not ready: ${response.status}`);
    }, 30_000);
    if (ended) throw new Error(`${program} ended before it listened: ${await stderr}`);
  } catch (error) {
    await dispose();
    throw error;
  }
  const query = async (expression: string): Promise<QueryResult[]> => {
    const { result } = await get(`${url}/api/v1/query?${new URLSearchParams({ query: expression })}`) as {
      result: { metric: Record<string, string>; value: [number, string] }[];
    };
    return result.map(({ metric, value: [, text] }) => ({ labels: metric, value: Number(text) }));
  };
  return {
    url,
    query,
    async value(expression): Promise<number> {
      const results = await query(expression);
      const [first] = results;
      if (!first || results.length > 1) {
        throw new Error(`${expression} has ${results.length} results: ${JSON.stringify(results)}`);
      }
      return first.value;
    },
    async targets(): Promise<Target[]> {
      const { activeTargets } = await get(`${url}/api/v1/targets?state=active`) as {
        activeTargets: Target[];
      };
      return activeTargets.map(({ labels, scrapeUrl }) => ({ labels, scrapeUrl }));
    },
    [Symbol.asyncDispose]: dispose,
  };
}

/** The `data` of an answer of the HTTP API that both share. */
async function get(url: string): Promise<unknown> {
  const { status, data, error } = await (await fetch(url)).json();
  if (status !== "success") throw new Error(`${url}: ${error}`);
  return data;
}

/** A port that was free a moment ago, for programs that cannot choose one and report it. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}

/** Options of {@linkcode copyMonitoring}. */
export interface CopyOptions {
  /** What the files in `workers/` hold instead, by name. */
  workers?: Record<string, string>;
  /** Stands in for every scrape interval and timeout, and for the rules' interval: `1s`. */
  interval?: string;
}

/** A copy of the folder `monitoring/` that a test may change; disposing of it removes it. */
export interface MonitoringCopy extends Disposable {
  readonly root: string;
  /** Path of a file in its folder `scrape/`. */
  scrape(file: string): string;
}

/** Copies what the scrapers need of `monitoring/`. */
export function copyMonitoring({ workers, interval }: CopyOptions = {}): MonitoringCopy {
  const root = Deno.makeTempDirSync({ prefix: "monitoring-test-" });
  for (const folder of ["scrape", "scrape/workers", "rules"]) {
    Deno.mkdirSync(join(root, folder));
    for (const entry of Deno.readDirSync(join(ROOT, "monitoring", folder))) {
      if (!entry.isFile || (workers && folder === "scrape/workers")) continue;
      let text = Deno.readTextFileSync(join(ROOT, "monitoring", folder, entry.name));
      if (interval && folder === "scrape") {
        text = text.replace(/\b((?:scrape|evaluation)_(?:interval|timeout):) \w+/g, `$1 ${interval}`);
      }
      Deno.writeTextFileSync(join(root, folder, entry.name), text);
    }
  }
  for (const [name, text] of Object.entries(workers ?? {})) {
    Deno.writeTextFileSync(join(root, "scrape/workers", name), text);
  }
  return {
    root,
    scrape: (file) => join(root, "scrape", file),
    [Symbol.dispose]: () => Deno.removeSync(root, { recursive: true }),
  };
}
