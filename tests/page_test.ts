/** The page at `/`, as a person sees it. */
import { assert, assertEquals, assertGreater, assertStringIncludes } from "@std/assert";
import { CHROMIUM, launchBrowser, openPage } from "./support/browser.ts";
import { startExporter } from "./support/exporter_process.ts";
import { needs } from "./support/programs.ts";

// Playwright keeps timers and pipes of its own until the browser is gone.
const BROWSER_TEST = { ...needs(CHROMIUM), sanitizeOps: false, sanitizeResources: false };

/** The cpu exporter on its simulated machine. */
function startSimulated(): ReturnType<typeof startExporter> {
  return startExporter("cpu", { script: "scripts/demo/cpu.ts", permissions: ["--no-prompt", "-A"] });
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
    await page.locator(".spark path").first().waitFor({ state: "attached" });
    assertEquals(await page.textContent("#status"), "Working");
    assertStringIncludes(await page.textContent("header .simulated") ?? "", "No value here is real");
    const rows = await page.locator("tbody tr").allTextContents();
    const watts = rows.find((row) => row.startsWith("package-0"));
    assert(/\d W/.test(watts ?? ""), `no watts in: ${rows.join(" | ")}`);
    assertStringIncludes(await page.getAttribute("#chart svg[role=img]", "aria-label") ?? "", "package-0");
    assertEquals(requests.filter((url) => !url.startsWith(exporter.url)), []);
    assertEquals(complaints, []);
  },
});

Deno.test({
  name: "The page fits a phone, in the dark too, and its table can be reached by keyboard",
  ...BROWSER_TEST,
  fn: async () => {
    await using exporter = await startSimulated();
    await using browser = await launchBrowser();
    const { page } = await openPage(browser, exporter.url, { width: 360, height: 740, dark: true });
    await page.waitForSelector("tbody tr");
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
