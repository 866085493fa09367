/**
 * A headless Chromium that looks at pages on this machine.
 *
 * @module
 */
import { type Browser, chromium, type Page } from "playwright-core";

/** Where Debian installs it. */
export const CHROMIUM = "/usr/bin/chromium";

/** Starts the browser; its background traffic is off, so that what it asks for is what the page asks for. */
export async function launchBrowser(): Promise<Browser> {
  return await chromium.launch({
    executablePath: CHROMIUM,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** A page that is watched. */
export interface WatchedPage {
  readonly page: Page;
  /** URLs that it asked for. */
  readonly requests: readonly string[];
  /** What it complained about: script errors, refused loads. */
  readonly complaints: readonly string[];
}

/** Opens a URL in a page of the given size. */
export async function openPage(
  browser: Browser,
  url: string,
  { width = 1000, height = 900, dark = false }: { width?: number; height?: number; dark?: boolean } = {},
): Promise<WatchedPage> {
  const page = await browser.newPage({
    viewport: { width, height },
    colorScheme: dark ? "dark" : "light",
    // Tests make their certificates themselves.
    ignoreHTTPSErrors: true,
  });
  const requests: string[] = [];
  const complaints: string[] = [];
  page.on("request", (request) => requests.push(request.url()));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(url);
  return { page, requests, complaints };
}
