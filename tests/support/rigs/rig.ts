/**
 * An exporter in its own process on a source that the test holds in its hands, and what is checked of any page.
 *
 * A rig names one series, its canary, whose true value the test knows at any moment. So the same few checks tell
 * of every exporter whether a page shows the truth, nothing, or something stale.
 *
 * @module
 */
import { assertAlmostEquals, assertEquals } from "@std/assert";
import { CATALOG, type ExporterName } from "../../../exporters/catalog.ts";
import { denoFlags } from "../../../lib/command_line.ts";
import type { HealthReport } from "../../../lib/server.ts";
import { eventually, type ExporterProcess, startExporter, type StartOptions } from "../exporter_process.ts";
import { type Family, parseExposition } from "../exposition_parser.ts";
import { promtoolCheck } from "../promtool.ts";

/** How to start a rig. */
export interface RigOptions extends Pick<StartOptions, "prefix" | "env" | "script" | "command"> {
  /** Flags of the exporter, after those that lead it to the rig's source. */
  args?: string[];
  /** Flags of V8, beside those of the task: `--max-old-space-size=64`. */
  v8?: string;
  /** Where the source goes, for those that have a folder. @default a temporary one */
  folder?: string;
  /** The source is not there when the exporter starts. */
  absent?: boolean;
}

/** A series of a page: its name and labels that tell it from the others of that name. */
export interface Series {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/** An exporter and its source; disposing of it ends the one and removes the other. */
export interface Rig extends AsyncDisposable {
  readonly name: ExporterName;
  readonly exporter: ExporterProcess;
  /** Value of the `source` label of the source that the faults are about. */
  readonly source: string;
  /** The series that shows what the source says. */
  readonly canary: Series;
  /** Moves the source on; returns the value of the canary that follows on the one before. */
  step(before: number): number | Promise<number>;
  /** Takes the source away, whole. */
  hide(): void | Promise<void>;
  /** Brings it back. */
  show(): void | Promise<void>;
}

/** Creates a rig. */
export type RigFactory<R extends Rig = Rig> = (options?: RigOptions) => Promise<R>;

/** A rig's exporter as the rig starts it: with the permissions that its task grants, moved to this source. */
export function startOnRig(
  name: ExporterName,
  args: string[],
  options: RigOptions,
): Promise<ExporterProcess> {
  const all = ["--host=127.0.0.1", "--port=0", ...args, ...options.args ?? []];
  return startExporter(name, {
    args: all,
    permissions: [
      ...denoFlags(CATALOG[name], all).map((flag) =>
        options.v8 !== undefined && flag.startsWith("--v8-flags=") ? `${flag},${options.v8}` : flag
      ),
    ],
    ...(options.prefix && { prefix: options.prefix }),
    ...(options.env && { env: options.env }),
    ...(options.script && { script: options.script }),
    ...(options.command && { command: options.command }),
  });
}

/** A page that was served, parsed. */
export interface Page {
  readonly text: string;
  readonly families: Map<string, Family>;
}

/** Longest that a scrape may take, in milliseconds. */
const SCRAPE_TIMEOUT_MS = 5_000;

/** Scrapes: the answer must be 200 and must parse. */
export async function readPage(rig: Pick<Rig, "exporter">): Promise<Page> {
  const response = await fetch(`${rig.exporter.url}/metrics`, {
    signal: AbortSignal.timeout(SCRAPE_TIMEOUT_MS),
  });
  const text = await response.text();
  assertEquals(response.status, 200, text);
  return { text, families: parseExposition(text, response.headers.get("content-type") ?? "") };
}

/** Fails when promtool finds fault with a page. */
export async function assertLints({ text }: Page): Promise<void> {
  assertEquals(await promtoolCheck(text), "");
}

/** The value of a series; undefined where the page does not have it. */
export function valueIn({ families }: Page, { name, labels = {} }: Series): number | undefined {
  const wanted = Object.entries(labels);
  return families.get(name)?.samples.find((sample) =>
    sample.name === name && wanted.every(([label, value]) => sample.labels[label] === value)
  )?.value;
}

/** What `/health` says of a source. */
export async function sourceHealth(
  rig: Pick<Rig, "exporter" | "source">,
): Promise<HealthReport["sources"][number] & Pick<HealthReport, "status">> {
  const { status, sources } = await rig.exporter.health();
  const found = sources.find(({ name }) => name === rig.source);
  if (!found) throw new Error(`/health has no source "${rig.source}"`);
  return { ...found, status };
}

/** Fails unless the canary follows the source from now on. */
export async function assertFollows(rig: Rig): Promise<void> {
  const before = await eventually(async () => {
    const value = valueIn(await readPage(rig), rig.canary);
    if (value === undefined) throw new Error(`The page does not have ${JSON.stringify(rig.canary)}`);
    return value;
  });
  const wanted = await rig.step(before);
  await eventually(async () =>
    assertAlmostEquals(
      valueIn(await readPage(rig), rig.canary) ?? NaN,
      wanted,
      1e-6 * Math.max(1, Math.abs(wanted)),
    )
  );
}
