/**
 * Whole pages held against `tests/golden/`: what changes from run to run is masked, all else must be equal.
 *
 * `deno task golden:update` rewrites them.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { dirname, fromFileUrl } from "@std/path";
import { VERSION } from "../../exporters/catalog.ts";

/** Values of the process, its clock and its build; their lines stay, their values do not count. */
const VOLATILE_REGEXP = new RegExp(
  "^((?:process_|exporter_(?:event_loop_lag|collect_duration|last_success))\\w*(?:\\{.*\\})?) \\S+$",
  "gm",
);

/** Replaces what differs between two runs of the same exporter on the same source. */
export function maskVolatile(page: string): string {
  return page
    .replace(VOLATILE_REGEXP, "$1 0")
    .replaceAll(`version="${VERSION}",deno="${Deno.version.deno}"`, 'version="x",deno="x"')
    // The lag exists only once the first second is over.
    .replace(/^.*exporter_event_loop_lag_seconds.*\n/gm, "");
}

/** Where a golden page lies. */
export function goldenPath(name: string): string {
  return fromFileUrl(new URL(`../golden/${name}.prom`, import.meta.url));
}

/** Fails unless a page equals `tests/golden/<name>.prom`. */
export async function assertGolden(name: string, page: string): Promise<void> {
  const path = goldenPath(name);
  const actual = maskVolatile(page);
  if (Deno.env.get("GOLDEN_UPDATE")) {
    await Deno.mkdir(dirname(path), { recursive: true });
    await Deno.writeTextFile(path, actual);
    return;
  }
  let expected: string;
  try {
    expected = await Deno.readTextFile(path);
  } catch (cause) {
    throw new Error(`Cannot read the golden page "${name}": make it with "deno task golden:update"`, {
      cause,
    });
  }
  assertEquals(actual.split("\n"), expected.split("\n"));
}
