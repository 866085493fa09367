/**
 * An exporter under attack, within the limits of its unit, judged while the attack runs and when it is over.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { CATALOG, type ExporterName } from "../../exporters/catalog.ts";
import { eventually, ROOT } from "../support/exporter_process.ts";
import { parseExposition } from "../support/exposition_parser.ts";
import { limitMemory, memoryMaxOf, openFilesMaxOf } from "../support/memory_limit.ts";
import { CpuRig } from "../support/rigs/cpu.ts";
import { DockerRig } from "../support/rigs/docker.ts";
import { FfmpegRig } from "../support/rigs/ffmpeg.ts";
import { GpuRig } from "../support/rigs/gpu.ts";
import { assertFollows, type Rig, type RigFactory, valueIn } from "../support/rigs/rig.ts";
import { ATTACKS } from "./attacks.ts";

const RIGS: Readonly<Record<ExporterName, RigFactory>> = {
  cpu: CpuRig.create,
  gpu: GpuRig.create,
  ffmpeg: FfmpegRig.create,
  docker: DockerRig.create,
};
/** Whoever scrapes meanwhile comes from another address than those who attack. */
const SCRAPER = "127.0.0.2";
const SCRAPE_PAUSE_MS = 250;
/** Time beyond its share that an attack may take to be noticed, in milliseconds. */
const UNFOLD_MS = 30_000;
/** Log that an attack may cause, in bytes a minute. */
const MAX_LOG_PER_MINUTE = 1e6;

/** Options of {@linkcode besiege}. */
export interface SiegeOptions {
  /** How long each attack lasts, in seconds. */
  readonly seconds: number;
  /** How long a scrape may take, and recovery, in seconds. */
  readonly patienceSeconds: number;
}

/** What an attack did. */
export interface Damage {
  readonly attack: string;
  readonly scrapes: number;
  /** The slowest scrape, in seconds. */
  readonly slowestSeconds: number;
  /** Peak memory of the exporter since it was started, in bytes. */
  readonly peakBytes: number;
}

/** Attacks an exporter, with one attack after the other. @throws {Error} when it does not hold */
export async function besiege(
  name: ExporterName,
  attacks: readonly string[],
  options: SiegeOptions,
): Promise<Damage[]> {
  const unit = CATALOG[name].artifact;
  using memory = limitMemory(memoryMaxOf(unit));
  const files = openFilesMaxOf(unit);
  await using rig = await RIGS[name]({
    prefix: [...memory.prefix, "prlimit", `--nofile=${files}:${files}`],
  });
  await assertFollows(rig);
  const damages: Damage[] = [];
  for (const attack of attacks) {
    try {
      const damage = await withstand(rig, attack, options);
      damages.push({ ...damage, peakBytes: memory.peak() });
    } catch (cause) {
      throw new Error(`${name} does not hold against "${attack}": ${ATTACKS[attack]?.what}`, { cause });
    }
  }
  return damages;
}

async function withstand(
  rig: Rig,
  name: string,
  { seconds, patienceSeconds }: SiegeOptions,
): Promise<Omit<Damage, "peakBytes">> {
  const health = ATTACKS[name]?.health;
  const { port } = rig.exporter;
  const before = await scrape(rig, "/health", patienceSeconds);
  const logBefore = rig.exporter.stderr().length;
  const startMs = performance.now();
  const endMs = startMs + seconds * 1000;
  let slowestSeconds = 0;
  let scrapes = 0;
  let said = "";
  const attacker = new Deno.Command("nice", {
    args: [
      ...["-n", "5", "sh", "-c", 'ulimit -n $(ulimit -H -n) && exec "$@"', "sh"],
      ...[Deno.execPath(), "run", "--no-config", "-A"],
      ...[`${ROOT}tests/attack/attacks.ts`, name, "127.0.0.1", String(port)],
    ],
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  try {
    // On a busy machine an attack takes a while to unfold.
    const isUnseen = (): boolean => health !== undefined && !health.test(said);
    while (performance.now() < endMs || (isUnseen() && performance.now() < endMs + UNFOLD_MS)) {
      const scrapeMs = performance.now();
      const { text, type } = await scrape(rig, "/metrics", patienceSeconds);
      slowestSeconds = Math.max(slowestSeconds, (performance.now() - scrapeMs) / 1000);
      scrapes++;
      const page = { text, families: parseExposition(text, type) };
      assert(valueIn(page, rig.canary) !== undefined, `no ${rig.canary.name} on the page`);
      said += (await scrape(rig, "/health", patienceSeconds)).text;
      await new Promise((resolve) => setTimeout(resolve, SCRAPE_PAUSE_MS));
    }
  } finally {
    attacker.kill("SIGKILL");
    await attacker.status;
  }
  if (health) assertMatch(said, health);
  const minutes = Math.max(1, (performance.now() - startMs) / 60_000);
  const logged = rig.exporter.stderr().length - logBefore;
  assert(logged < MAX_LOG_PER_MINUTE * minutes, `the log grew by ${logged} bytes`);
  const sources = (text: string): unknown => JSON.parse(text).sources;
  await eventually(
    async () =>
      assertEquals(sources((await scrape(rig, "/health", patienceSeconds)).text), sources(before.text)),
    patienceSeconds * 1000,
  );
  await assertFollows(rig);
  return { attack: name, scrapes, slowestSeconds };
}

/** Asks from another address; the answer must be 200, in time. */
async function scrape(
  rig: Rig,
  path: string,
  patienceSeconds: number,
): Promise<{ text: string; type: string }> {
  const { success, stdout, stderr } = await new Deno.Command("curl", {
    args: [
      ...["-sS", "--fail", "--interface", SCRAPER, "-m", String(patienceSeconds)],
      ...["-w", "\n%{content_type}", `${rig.exporter.url}${path}`],
    ],
  }).output();
  assert(
    success,
    `a scrape of ${path} fails: ${new TextDecoder().decode(stderr)}${rig.exporter.stderr().slice(-500)}`,
  );
  const answer = new TextDecoder().decode(stdout);
  const at = answer.lastIndexOf("\n");
  return { text: answer.slice(0, at), type: answer.slice(at + 1) };
}
