/**
 * The tables of exporters in README.md and DEPLOYMENT.md, and the lists of their ports.
 *
 * @module
 */
import { denoFlags } from "../../lib/command_line.ts";
import type { Manifest } from "../../lib/manifest.ts";
import { markdownTable, withRegion } from "./region.ts";

/** More values than these of one permission are counted, not listed. */
const MOST_VALUES = 2;

/** Returns README.md with its table of exporters. */
export function withReadmeTables(text: string, exporters: readonly Manifest[]): string {
  const rows = exporters.map((manifest) => {
    const { name, port, reads } = manifest;
    const permissions = denoFlags(manifest).filter((flag) => !/^--(?:v8-flags|no-prompt)/.test(flag));
    return [`[${name}](exporters/${name})`, `${port}`, reads, permissions.map(shortFlag).join(" ")];
  });
  const table = markdownTable(["exporter", "port", "reads", "permissions"], rows);
  return withRegion(text, "exporters", table, "markdown");
}

function shortFlag(flag: string): string {
  const [, permission = flag, values = ""] = /^([^=]+=)(.*)$/.exec(flag) ?? [];
  const count = values.split(",").length;
  return count > MOST_VALUES ? `\`${permission}\` _${count} places_` : `\`${flag}\``;
}

/** Returns DEPLOYMENT.md with its tables, and every list of ports complete. */
export function withDeploymentTables(text: string, exporters: readonly Manifest[]): string {
  const needs = exporters.map(({ artifact, port, needs }) => [`\`${artifact}\``, `${port}`, needs]);
  const tasks = exporters.map(({ name, port }) => [
    name,
    `\`deno task ${name}\``,
    `\`curl http://127.0.0.1:${port}/metrics\``,
  ]);
  const ports = exporters.map(({ port }) => port).toSorted((left, right) => left - right);
  const withTables = [
    ["needs", markdownTable(["exporter", "port", "what it needs on the worker"], needs)],
    ["tasks", markdownTable(["exporter", "command", "then"], tasks)],
  ].reduce((text, [name = "", table = ""]) => withRegion(text, name, table, "markdown"), text);
  return withTables.replace(
    /\b\d{4,5}(?:(, ?| )\d{4,5}\b){2,}/g,
    (_all, separator: string) => ports.join(separator),
  );
}
