/**
 * What the installer and the Debian package know of the exporters, and the settings file that it puts in place.
 *
 * @module
 */
import type { Manifest } from "../../lib/manifest.ts";
import { argsVariable } from "./drop_ins.ts";
import { withRegion } from "./region.ts";

/** Returns scripts/machine.sh with the names, ports and signs of the exporters. */
export function withInstallTable(text: string, exporters: readonly Manifest[]): string {
  const table = (variable: string, value: (manifest: Manifest) => string): string =>
    `declare -A ${variable}=(\n${exporters.map((each) => `  [${each.name}]=${value(each)}\n`).join("")})\n`;
  const content = `names=(${exporters.map(({ name }) => name).join(" ")})\n` +
    table("artifact", ({ artifact }) => artifact) +
    table("port", ({ port }) => `${port}`) +
    "# Shell patterns: where one of these is, the machine has what the exporter reads.\n" +
    table("signs", ({ signs }) => `'${signs.join(" ")}'`);
  return withRegion(text, "the exporters", content, "hash");
}

/** Returns the settings file: a line for each exporter. */
export function withSettings(text: string, exporters: readonly Manifest[]): string {
  const lines = exporters.map((each) => `${argsVariable(each)}=${each.installedFlags?.join(" ") ?? ""}\n`);
  return withRegion(text, "flags of a fresh installation", lines.join(""), "hash");
}
