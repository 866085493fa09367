/**
 * Takes the pictures of docs/images from the exporters on simulated sources: `deno task pictures`. Takes five minutes,
 * since the charts show as much. Needs Chromium.
 *
 * @module
 */
import { CATALOG, type ExporterName, VERSION } from "../exporters/catalog.ts";
import { launchBrowser } from "./support/browser.ts";
import { startExporter } from "./support/exporter_process.ts";
import { withText } from "./support/png_text.ts";

/** Where the pictures are. */
export const FOLDER = new URL("../docs/images/", import.meta.url);

/** What the pictures say of what made them. */
export const SOFTWARE = `worker-exporters ${VERSION}, deno task pictures`;

/** The pictures: name and what the browser is. */
export const PICTURES = {
  "worker.png": { width: 1100, height: 860, dark: false },
  "phone.png": { width: 390, height: 844, dark: true },
} as const;

const WATCHED_MS = 300_000;

async function main(): Promise<void> {
  const names = Object.keys(CATALOG) as ExporterName[];
  await using stack = new AsyncDisposableStack();
  const urls = await Promise.all(names.map(async (name) => {
    const script = `simulation/${name}.ts`;
    return stack.use(await startExporter(name, { script, permissions: ["--no-prompt", "-A"] })).url;
  }));
  const query = names.map((name, index) => `${name}=${new URL(urls[index] ?? "").port}`).join("&");
  await using browser = await launchBrowser();
  const pages = await Promise.all(
    Object.values(PICTURES).map(async ({ width, height, dark }) => {
      const page = await browser.newPage({
        viewport: { width, height },
        colorScheme: dark ? "dark" : "light",
        deviceScaleFactor: 2,
      });
      await page.goto(`${urls[names.indexOf("ffmpeg")]}/?${query}`);
      return page;
    }),
  );
  await new Promise((resolve) => setTimeout(resolve, WATCHED_MS));
  await Deno.mkdir(FOLDER, { recursive: true });
  for (const [index, name] of Object.keys(PICTURES).entries()) {
    const png = await pages[index]?.screenshot();
    if (png) await Deno.writeFile(new URL(name, FOLDER), withText(png, "Software", SOFTWARE));
  }
}

if (import.meta.main) await main();
