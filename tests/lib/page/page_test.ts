/** The page at `/`, as a person sees it. */
import { assert, assertEquals, assertGreater, assertLess, assertStringIncludes } from "@std/assert";
import axe from "axe-core";
import bcrypt from "bcryptjs";
import { makeCertificates } from "../../support/certificates.ts";
import { CHROMIUM, launchBrowser, openPage } from "../../support/browser.ts";
import { type Collection, CollectorRunner } from "../../../lib/collector.ts";
import { type MetricDefinition, Snapshot } from "../../../lib/exposition.ts";
import type { HistoryReport } from "../../../lib/history.ts";
import { createLogger } from "../../../lib/log.ts";
import { createHandler } from "../../../lib/server.ts";
import { assertQuick } from "../../support/assert_quick.ts";
import { eventually, startExporter } from "../../support/exporter_process.ts";
import { serveHandler, type TestServer } from "../../support/handlers.ts";
import { needs } from "../../support/programs.ts";
import { PROGRAM, TOY } from "../../support/toy.ts";

// Playwright keeps timers and pipes of its own until the browser is gone.
const BROWSER_TEST = { ...needs(CHROMIUM), sanitizeOps: false, sanitizeResources: false };

/** The cpu exporter on its simulated machine. */
function startSimulated(): ReturnType<typeof startExporter> {
  return startExporter("cpu", { script: "simulation/cpu.ts", permissions: ["--no-prompt", "-A"] });
}

/** Waits until an exporter publishes a metric: power takes two readings of its source. */
async function publishes({ url }: { readonly url: string }, metric: string): Promise<void> {
  await eventually(async () => {
    assertStringIncludes(await (await fetch(`${url}/metrics`)).text(), `\n${metric}`);
  });
}

const NEIGHBOUR_REGEXP = /^http:\/\/127\.0\.0\.1:(?:9511|9506|9501)\/(?:metrics|health)$/;

/** Neighbours are asked on their usual ports, where in a test nobody is, or a stranger. */
function ownComplaints(complaints: readonly string[]): string[] {
  return complaints.filter((text) => !/net::ERR_|CORS policy/.test(text));
}

/** The sum of red, green and blue of a CSS colour such as `rgb(20, 23, 27)`, 0 to 765. */
function brightness(colour: string): number {
  return (colour.match(/\d+/g) ?? []).slice(0, 3).reduce((sum, part) => sum + Number(part), 0);
}

Deno.test({
  name: "The page shows the values and draws them, asks only its own exporter, and says it is simulated",
  ...BROWSER_TEST,
  fn: async () => {
    await using exporter = await startSimulated();
    await using browser = await launchBrowser();
    const { page, requests, complaints } = await openPage(browser, exporter.url);
    await page.locator("#chart path").nth(3).waitFor({ state: "attached" });
    await page.locator("#table .spark path").first().waitFor({ state: "attached" });
    assertEquals(await page.textContent("#status"), "Working");
    assertStringIncludes(await page.textContent("header .simulated") ?? "", "No value here is real");
    const rows = await page.locator("#table tbody tr").allTextContents();
    const watts = rows.find((row) => row.startsWith("package-0"));
    assert(/\d W/.test(watts ?? ""), `no watts in: ${rows.join(" | ")}`);
    assertStringIncludes(await page.getAttribute("#chart svg[role=img]", "aria-label") ?? "", "package-0");
    const others = requests.filter((url) => !url.startsWith(exporter.url));
    assertEquals(others.filter((url) => !NEIGHBOUR_REGEXP.test(url)), []);
    assertEquals(ownComplaints(complaints), []);
  },
});

Deno.test({
  name: "The page fits a phone, in the dark too, and its table can be reached by keyboard",
  ...BROWSER_TEST,
  fn: async () => {
    await using exporter = await startSimulated();
    await using browser = await launchBrowser();
    const { page } = await openPage(browser, exporter.url, { width: 360, height: 740, dark: true });
    await page.waitForSelector("#table tbody tr");
    assertEquals(await page.evaluate("document.documentElement.scrollWidth"), 360);
    const style = await page.evaluate<[string, string]>(
      "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]",
    );
    const [ground, text] = style.map(brightness);
    assertGreater(text ?? 0, (ground ?? 0) + 300);
    let reached = false;
    for (let presses = 0; presses < 10 && !reached; presses++) {
      await page.keyboard.press("Tab");
      reached = await page.evaluate<boolean>(`document.activeElement?.id === "table"`);
    }
    assert(reached, "the table is not in the tab order");
  },
});

Deno.test({
  name:
    "The page says what is wrong and how to mend it, also without script, and when the exporter goes away",
  ...BROWSER_TEST,
  fn: async () => {
    const missing = "/run/powercap-that-is-not-there";
    const exporter = await startExporter("cpu", {
      args: [`--powercap=${missing}`],
      permissions: ["--no-prompt", "--allow-net=0.0.0.0", `--allow-read=${missing}`],
    });
    await using browser = await launchBrowser();
    const { page } = await openPage(browser, exporter.url);
    await page.waitForSelector("#table .empty");
    assertEquals(await page.textContent("#status"), "Degraded");
    const advice = await page.textContent("#problems") ?? "";
    assertStringIncludes(advice, "mount --bind");
    const plain = await browser.newPage({ javaScriptEnabled: false });
    await plain.goto(exporter.url);
    assertEquals(await plain.textContent("#problems"), advice);
    await exporter[Symbol.asyncDispose]();
    await page.waitForSelector("#status.unreachable");
    assertEquals(await page.textContent("#status"), "The exporter does not answer");
  },
});

const SPEED: MetricDefinition = { name: "x_speed_ratio", type: "gauge", help: "Speed.", labels: ["job_id"] };

/** A reading every two seconds: more points than Chromium takes as arguments of a call, some 120,000. */
function fiveMinutes(series: number): HistoryReport {
  const ages_ms = Array.from({ length: 150 }, (_, index) => 2000 * (150 - index));
  return {
    ages_ms,
    series: Array.from({ length: series }, (_, index) => ({
      labels: { job_id: `job "<b>${index}</b>"` },
      values: ages_ms.map(() => 1),
    })),
  };
}

/** Serves a page with this many series from within the test. */
function servePage(
  series: number,
  problems: Collection["problems"] = [],
  history: HistoryReport = { ages_ms: [], series: [] },
): TestServer {
  const collect = (): Collection => {
    const snapshot = new Snapshot();
    for (let index = 0; index < series; index++) {
      snapshot.add(SPEED, 1 + Math.random(), { job_id: `job "<b>${index}</b>"` });
    }
    return { up: series > 0, snapshot, problems };
  };
  const server = serveHandler(
    createHandler({
      manifest: TOY,
      history: { report: () => history },
      project: PROGRAM.project,
      runners: [
        new CollectorRunner({ source: "x", collect }, createLogger({ write: () => {} })),
      ],
      page: {
        title: "Jobs",
        summary: "Summary.",
        chart: { metric: SPEED.name, unit: "x", labels: ["job_id"] },
        table: { key: ["job_id"], columns: [{ metric: SPEED.name, title: "Speed", unit: "x" }] },
      },
      self: { snapshot: new Snapshot() },
      telemetryPath: "/metrics",
    }),
  );
  return server;
}

Deno.test({
  name: "The page shows two hundred series without growing slow, and takes names as text",
  ...BROWSER_TEST,
  fn: async () => {
    await using server = servePage(200);
    const { url } = server;
    await using browser = await launchBrowser();
    await assertQuick(async () => {
      const { page, complaints } = await openPage(browser, url);
      await page.locator("#table tbody tr").nth(199).waitFor();
      await page.locator("#table .spark path").nth(199).waitFor({ state: "attached" });
      assertStringIncludes(await page.textContent("#table tbody tr") ?? "", 'job "<b>0</b>"');
      assertStringIncludes(await page.textContent("#legend") ?? "", "and 176 more");
      assertEquals(ownComplaints(complaints), []);
      const longestMs = await page.evaluate<number>(
        "performance.getEntriesByType('measure').reduce((most, { duration }) => Math.max(most, duration), 0)",
      );
      assertGreater(longestMs, 0);
      await page.close();
      return longestMs;
    }, 500);
  },
});

Deno.test({
  name: "The page draws five thousand series for as long as it is open",
  ...BROWSER_TEST,
  fn: async () => {
    await using server = servePage(5000, [], fiveMinutes(5000));
    await using browser = await launchBrowser();
    const { page } = await openPage(browser, "about:blank");
    await page.goto(server.url);
    await page.locator("#table tbody tr").nth(4999).waitFor({ state: "attached", timeout: 120_000 });
    await page.locator("#chart path").nth(4999).waitFor({ state: "attached" });
    assertEquals(await page.textContent("#status"), "Working");
    assertEquals(await page.locator("#problems li").allTextContents(), []);
  },
});

for (
  const [state, series, problems] of [
    ["working", 3, []],
    ["failing", 0, [{ reason: "gone", message: "Source is gone: plug it in" }]],
  ] as const
) {
  Deno.test({
    name: `The page has nothing that keeps people from using it, ${state}, light and dark (axe)`,
    ...BROWSER_TEST,
    fn: async () => {
      await using server = servePage(series, problems);
      const { url } = server;
      await using browser = await launchBrowser();
      for (const dark of [false, true]) {
        const { page } = await openPage(browser, url, { dark });
        await page.waitForSelector(series > 0 ? "#table tbody tr" : "#table .empty");
        await page.evaluate(axe.source);
        const violations = await page.evaluate<string[]>(
          "axe.run().then(({ violations }) => violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`))",
        );
        assertEquals(violations, []);
      }
    },
  });
}

Deno.test({
  name: "The FFmpeg exporter's page shows each job with its state, its numbers and a small chart",
  ...BROWSER_TEST,
  fn: async () => {
    await using exporter = await startExporter("ffmpeg", { args: ["--stall-after=1h"] });
    const block = (frame: number): string =>
      `frame=${frame}\nout_time_us=${frame * 40_000}\nprogress=continue\n`;
    const reports = new TransformStream<Uint8Array, Uint8Array>();
    const writer = reports.writable.getWriter();
    const posted = fetch(`${exporter.url}/progress?job_id=movie&duration=100`, {
      method: "POST",
      body: reports.readable,
    });
    const encoder = new TextEncoder();
    await writer.write(encoder.encode(block(25)));
    await eventually(async () =>
      assertStringIncludes(await exporter.metrics(), '\nffmpeg_job_frames_total{job_id="movie"} 25\n')
    );
    await writer.write(encoder.encode(block(1250)));
    await using browser = await launchBrowser();
    const { page, complaints } = await openPage(browser, exporter.url);
    await page.locator("tbody .spark path").waitFor({ state: "attached" });
    const row = await page.locator("#table tbody tr").textContent() ?? "";
    for (const text of ["movie", "running", "50.0 %", "1250"]) assertStringIncludes(row, text);
    assertEquals(ownComplaints(complaints), []);
    await writer.close();
    await posted;
  },
});

const NAMES = ["cpu", "gpu", "ffmpeg", "docker"] as const;

/** The address of the first exporter's page, which is told where the others listen. */
function workerUrl(exporters: readonly { readonly url: string }[], host: string): string {
  const ports = exporters.map(({ url }) => new URL(url).port);
  const query = NAMES.slice(1).map((name, index) => `${name}=${ports[index + 1]}`).join("&");
  return `http://${host}:${ports[0]}/?${query}`;
}

Deno.test({
  name: "The page shows the worker from all four exporters at its first reading, on a phone too",
  ...BROWSER_TEST,
  fn: async () => {
    const exporters = await Promise.all(
      NAMES.map((name) =>
        startExporter(name, { script: `simulation/${name}.ts`, permissions: ["--no-prompt", "-A"] })
      ),
    );
    await using stack = new AsyncDisposableStack();
    for (const exporter of exporters) stack.use(exporter);
    const metrics = ["rapl_node_power_watts ", "gpu_power_watts{", "ffmpeg_job_state{", "docker_containers{"];
    for (const [index, exporter] of exporters.entries()) await publishes(exporter, metrics[index] ?? "");
    await using browser = await launchBrowser();
    const { page, requests, complaints } = await openPage(
      browser,
      workerUrl(exporters, "localhost"),
      { width: 390, height: 844 },
    );
    await page.locator("#jobs tbody tr").first().waitFor();
    const ownScrapes = requests.filter((url) => url === `${new URL(page.url()).origin}/metrics`);
    assertEquals(ownScrapes.length, 1, "it takes more than one reading until the worker is shown");
    const power = await page.textContent("#figure-power strong") ?? "";
    assert(/^[\d.]+ W$/.test(power), `no power of the whole worker: ${power}`);
    const behind = page.locator("#attention li", { hasText: "falls behind" });
    await behind.first().waitFor({ timeout: 60_000 });
    assertLess((await behind.first().boundingBox())?.y ?? Infinity, 844, "it is not on the first screen");
    assertEquals(await page.evaluate("document.documentElement.scrollWidth"), 390);
    assertEquals(complaints, []);
  },
});

Deno.test({
  name: "The page shows neighbours that do not answer as links, and their figures as unknown",
  ...BROWSER_TEST,
  fn: async () => {
    await using exporter = await startSimulated();
    await publishes(exporter, "rapl_node_power_watts ");
    await using browser = await launchBrowser();
    const { page } = await openPage(browser, `${exporter.url}/?gpu=1&ffmpeg=1&docker=1`);
    await page.waitForSelector("#figure-power strong");
    assertStringIncludes(await page.textContent("#figure-power") ?? "", "GPU unknown");
    assertEquals(await page.textContent("#figure-energy strong"), "–");
    assertEquals(await page.textContent("#figure-energy span"), "the ffmpeg exporter does not answer");
    const links = await page.locator("#neighbours li").allTextContents();
    assertEquals(links[0], "gpu does not answer at http://127.0.0.1:1, or asks for a password");
    assertEquals(await page.textContent("#status"), "Working");
  },
});

Deno.test({
  name: "The page links to neighbours that ask for a password, and to those that speak no TLS as it does",
  ...BROWSER_TEST,
  fn: async () => {
    await using certificates = await makeCertificates();
    await certificates.issue("server");
    const config = async (name: string, yaml: string): Promise<string> => {
      await Deno.writeTextFile(`${certificates.folder}/${name}`, yaml);
      return `--web.config.file=${certificates.folder}/${name}`;
    };
    const permissions = ["--no-prompt", "-A"];
    await using secret = await startExporter("gpu", {
      script: "simulation/gpu.ts",
      args: [await config("secret.yml", `basic_auth_users: {alice: "${bcrypt.hashSync("secret", 4)}"}`)],
      permissions,
    });
    await using encrypted = await startExporter("cpu", {
      script: "simulation/cpu.ts",
      args: [await config("tls.yml", "tls_server_config: {cert_file: server.pem, key_file: server.key}")],
      permissions,
    });
    await using plain = await startSimulated();
    await using browser = await launchBrowser();
    const port = new URL(secret.url).port;
    for (
      const [scheme, url] of [
        ["http", plain.url],
        ["https", `https://127.0.0.1:${new URL(encrypted.url).port}`],
      ] as const
    ) {
      const { page } = await openPage(browser, `${url}/?gpu=${port}&ffmpeg=1&docker=1`);
      await page.locator("#figure-power", { hasText: "GPU unknown" }).waitFor();
      assertEquals(
        (await page.locator("#neighbours li").allTextContents())[0],
        `gpu does not answer at ${scheme}://127.0.0.1:${port}, or asks for a password`,
      );
    }
  },
});

Deno.test({
  name: "The page of an IPv6 address asks only its own exporter, since no policy can name another there",
  ...BROWSER_TEST,
  fn: async () => {
    await using exporter = await startExporter("cpu", {
      script: "simulation/cpu.ts",
      args: ["--host=::1"],
      permissions: ["--no-prompt", "-A"],
    });
    await using browser = await launchBrowser();
    const origin = `http://[::1]:${new URL(exporter.url).port}`;
    const { page, requests, complaints } = await openPage(browser, origin);
    await page.waitForSelector("#figure-power strong");
    assertEquals(await page.locator("#neighbours a").count(), 3);
    assertEquals(requests.filter((url) => !url.startsWith(origin)), []);
    assertEquals(complaints, []);
  },
});
