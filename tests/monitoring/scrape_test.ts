/** The scrape configurations, judged and followed by the programs that they are for. */
import { assertEquals } from "@std/assert";
import bcrypt from "bcryptjs";
import { CATALOG } from "../../exporters/catalog.ts";
import { makeCertificates } from "../support/certificates.ts";
import { eventually, ROOT, startExporter } from "../support/exporter_process.ts";
import { needs } from "../support/programs.ts";
import { copyMonitoring, type Scraper, startPrometheus, startVictoriaMetrics } from "../support/scrapers.ts";

const EXAMPLE = Deno.readTextFileSync(`${ROOT}monitoring/scrape/workers/fleet.yml.example`);

Deno.test({
  name: "promtool and VictoriaMetrics' own strict dry runs accept the scrape configurations",
  ...needs("promtool", "victoria-metrics", "vmagent", "openssl"),
  async fn(t): Promise<void> {
    using copy = copyMonitoring({ workers: { "fleet.yml": EXAMPLE } });
    await using certificates = await makeCertificates();
    await writeSecrets(copy.scrape("secrets"), certificates.ca, "a password");
    const promtool = (file: string): string[] => ["promtool", "check", "config", copy.scrape(file)];
    const victoria = (file: string): string[] => [
      "victoria-metrics",
      `-promscrape.config=${copy.scrape(file)}`,
      "-promscrape.config.strictParse",
      "-dryRun",
    ];
    const vmagent = (file: string): string[] => [
      "vmagent",
      `-promscrape.config=${copy.scrape(file)}`,
      "-promscrape.config.strictParse",
      "-remoteWrite.url=http://127.0.0.1/api/v1/write",
      "-dryRun",
    ];
    const commands = [
      promtool("prometheus.yml"),
      victoria("victoria-metrics.yml"),
      vmagent("victoria-metrics.yml"),
      promtool("secured.yml"),
      victoria("secured.yml"),
      vmagent("secured.yml"),
    ];
    for (const [command = "", ...args] of commands) {
      await t.step(`${command} ${args.find((arg) => arg.includes(".yml"))?.split("/").at(-1)}`, async () => {
        const { code, stdout, stderr } = await new Deno.Command(command, { args, cwd: copy.root }).output();
        const output = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
        assertEquals(code, 0, output);
        assertEquals(/\bwarn/i.test(output), false, output);
      });
    }
  },
});

Deno.test("Prometheus and VictoriaMetrics are given the same scrape_configs, secured ones differ in nothing else", () => {
  const read = (file: string): string => {
    const text = Deno.readTextFileSync(`${ROOT}monitoring/scrape/${file}`);
    return text.slice(text.indexOf("\nscrape_configs:"));
  };
  const plain = read("prometheus.yml");
  assertEquals(read("victoria-metrics.yml").split("\n"), plain.split("\n"));
  const secured = read("secured.yml")
    .replace(/^ {4}(?:scheme: https|tls_config: .*|basic_auth: .*)\n(?: {6}.*\n)*/gm, "");
  assertEquals(secured.split("\n"), plain.split("\n"));
});

Deno.test("The scrape jobs are the exporters, each on its own port", () => {
  const text = Deno.readTextFileSync(`${ROOT}monitoring/scrape/prometheus.yml`);
  const jobs = [...text.matchAll(/job_name: (\w+)[^]*?replacement: "\$1:(\d+)"/g)]
    .map(([, name, port]) => [name, Number(port)]);
  assertEquals(jobs, Object.entries(CATALOG).map(([name, { port }]) => [name, port]));
});

/** Every target of the example fleet, as `worker job address`. */
const EXAMPLE_TARGETS = [
  ...["cpu", "gpu", "ffmpeg", "docker"].flatMap((job) => [
    `enc-01 ${job} enc-01.example.net`,
    `enc-02.example.net ${job} enc-02.example.net`,
    `enc-03.example.net ${job} enc-03.example.net`,
    `[2001:db8::4] ${job} [2001:db8::4]`,
  ]),
  ...["cpu", "ffmpeg", "docker"].map((job) => `archive-01 ${job} 10.0.0.17`),
].map((line) => `${line}:${CATALOG[line.split(" ")[1] as keyof typeof CATALOG].port}`)
  .concat("archive-02 cpu 10.0.0.18:19510", "archive-02 ffmpeg 10.0.0.18:19506")
  .sort();

const SCRAPERS: [string, string, (config: string) => Promise<Scraper>][] = [
  ["prometheus", "prometheus.yml", startPrometheus],
  ["victoria-metrics", "victoria-metrics.yml", startVictoriaMetrics],
];

for (const [program, file, start] of SCRAPERS) {
  Deno.test({
    name: `${program} finds the four exporters of each worker in the example fleet`,
    ...needs(program),
    async fn(): Promise<void> {
      // At this interval none of these hosts is asked for anything before the test is over.
      using copy = copyMonitoring({ workers: { "fleet.yml": EXAMPLE }, interval: "23h" });
      await using scraper = await start(copy.scrape(file));
      await eventually(async () => {
        const targets = (await scraper.targets())
          .map(({ labels, scrapeUrl }) => `${labels.worker} ${labels.job} ${new URL(scrapeUrl).host}`);
        assertEquals(targets.sort(), EXAMPLE_TARGETS);
      });
      const north = (await scraper.targets()).filter(({ labels }) => labels.site === "north");
      assertEquals(north.length, 12);
    },
  });
}

for (const [program, , start] of SCRAPERS) {
  Deno.test({
    name: `${program} scrapes with TLS and a password with secured.yml, and is refused with another`,
    ...needs(program, "openssl"),
    async fn(): Promise<void> {
      await using certificates = await makeCertificates();
      const { cert, key } = await certificates.issue("worker");
      const config = `${certificates.folder}/web.yml`;
      await Deno.writeTextFile(
        config,
        `tls_server_config: {cert_file: worker.pem, key_file: worker.key}\n` +
          `basic_auth_users: {monitoring: "${bcrypt.hashSync("a password", 6)}"}\n`,
      );
      await using exporter = await startExporter("cpu", {
        args: [`--web.config.file=${config}`],
        permissions: ["--no-prompt", `--allow-read=${config},${cert},${key}`, "--allow-net=0.0.0.0"],
      });
      const target =
        `- targets: ["localhost:${exporter.port}"]\n  labels: {worker: enc-1, __exporters: cpu}\n`;
      for (const [password, up] of [["a password", 1], ["another", 0]] as const) {
        using copy = copyMonitoring({ workers: { "fleet.yml": target }, interval: "1s" });
        await writeSecrets(copy.scrape("secrets"), certificates.ca, password);
        await using scraper = await start(copy.scrape("secured.yml"));
        await eventually(async () => assertEquals(await scraper.value("up"), up), 20_000);
      }
    },
  });
}

/** Writes what secured.yml refers to. */
async function writeSecrets(folder: string, ca: string, password: string): Promise<void> {
  await Deno.mkdir(folder);
  await Deno.copyFile(ca, `${folder}/ca.pem`);
  await Deno.writeTextFile(`${folder}/password`, `${password}\n`);
}
