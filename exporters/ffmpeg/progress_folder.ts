/**
 * Follows a folder with one progress file per job (`ffmpeg … -progress /run/ffmpeg-progress/JOB`).
 *
 * The exporter only reads: who starts the jobs deletes the files. Links, hidden files and whatever else is no
 * plain file are left alone.
 *
 * @module
 */
import type { Collection, Collector, Problem } from "../../lib/collector.ts";
import { messageOf } from "../../lib/errors.ts";
import { Snapshot } from "../../lib/exposition.ts";
import { refusalOf } from "../../lib/permissions.ts";
import type { Intake } from "./intake.ts";
import { FOLDER_METRICS } from "./metrics.ts";
import { ProgressFile } from "./progress_file.ts";

/** Time from one look at the folder to the next, in milliseconds. */
export const LOOK_PERIOD_MS = 500;
/** A look that was taken within this time is fresh enough for a scrape, in milliseconds. */
const FRESH_MS = 100;
/** Files followed, for each job that may be shown. */
const FILES_PER_JOB = 10;
/** Most that one look reads, in bytes, and how long it may take, in milliseconds; the next goes on from there. */
const LOOK_BYTES = 8_388_608;
const LOOK_MS = 100;
/** A folder that changed this short before it was listed may have changed again within the same time stamp, in milliseconds. */
const SETTLED_MS = 100;
/** A folder is listed again after this time though it seems unchanged, in milliseconds. */
const LIST_PERIOD_MS = 5_000;
/** In place of each byte that is not UTF-8. */
const REPLACEMENT = "\ufffd";

/** Follows the files of a folder, and reports on it as a source. */
export class ProgressFolder implements Collector {
  readonly source = "progress_dir";
  readonly #intake: Intake;
  readonly #path: string;
  readonly #match: RegExp | undefined;
  /** By name; those that were looked at last come last. */
  readonly #files = new Map<string, ProgressFile>();
  readonly #fileProblems = new Map<string, Problem>();
  #problems: readonly Problem[] = [];
  #isReadable = false;
  /** When the names were last known; undefined: the folder's files may be older than this exporter's interest. */
  #listedMs: number | undefined;
  /** The last listing: of which state of the folder, and whether that state's files were all there. */
  #listing: { readonly state: string; readonly isSettled: boolean; readonly atMs: number } | undefined;
  #lookedMs = -Infinity;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** A folder, not looked at yet. @param match names of the files that are reports; all, if undefined */
  constructor(intake: Intake, path: string, match?: RegExp) {
    this.#intake = intake;
    this.#match = match;
    this.#path = path.replace(/(?<=.)\/+$/, "");
  }

  /** Looks now and then periodically. */
  start(): void {
    this.look();
    this.#timer = setInterval(() => this.look(), LOOK_PERIOD_MS);
  }

  /** Ends the looking. */
  stop(): void {
    clearInterval(this.#timer);
  }

  /** Looks, if the last look is old. */
  refresh(): void {
    if (this.#intake.board.nowMs() - this.#lookedMs > FRESH_MS) this.look();
  }

  /** Whether the folder can be read. */
  collect(): Collection {
    this.refresh();
    const snapshot = new Snapshot();
    if (this.#isReadable) snapshot.add(FOLDER_METRICS.files, this.#files.size);
    // Three unreadable files are described, more would only repeat them.
    const files = this.#isReadable ? [...this.#fileProblems.values()].slice(0, 3) : [];
    return { up: this.#isReadable, snapshot, problems: [...files, ...this.#problems] };
  }

  /** Reads what is new in every file that is due, as far as one look goes. */
  look(): void {
    const nowMs = this.#intake.board.nowMs();
    this.#lookedMs = nowMs;
    if (!this.#list(nowMs)) return;
    const endMs = performance.now() + LOOK_MS;
    let bytes = 0;
    for (const [name, file] of [...this.#files]) {
      if (!file.isDue(nowMs)) continue;
      bytes += this.#lookAt(name, file);
      if (bytes > LOOK_BYTES || performance.now() > endMs) break;
    }
  }

  /** Reads what is new in the files of one job. */
  lookFor(id: string): void {
    const nowMs = this.#intake.board.nowMs();
    const isFresh = this.#listedMs !== undefined && nowMs - this.#listedMs <= FRESH_MS;
    if (!isFresh && !this.#list(nowMs)) return;
    for (const [name, file] of [...this.#files]) if (file.id === id) this.#lookAt(name, file);
  }

  /** Notices which files came and went; false: the folder cannot be read. */
  #list(nowMs: number): boolean {
    const names = new Set<string>();
    try {
      const { ino, mtime } = Deno.statSync(this.#path);
      const state = `${ino} ${mtime?.getTime()}`;
      if (this.#isListed(state, nowMs)) {
        this.#listedMs = nowMs;
        return true;
      }
      this.#listing = { state, isSettled: Date.now() - (mtime?.getTime() ?? NaN) > SETTLED_MS, atMs: nowMs };
      for (const { name, isFile } of Deno.readDirSync(this.#path)) {
        if (isFile && !name.startsWith(".") && (this.#match?.test(name) ?? true)) names.add(name);
      }
    } catch (error) {
      this.#problems = [this.#folderProblem(error)];
      this.#setReadable(false);
      this.#listedMs = undefined;
      this.#listing = undefined;
      return false;
    }
    this.#setReadable(true);
    for (const [name, file] of this.#files) if (!names.has(name)) this.#forget(name, file);
    this.#problems = this.#add(names);
    this.#listedMs = nowMs;
    return true;
  }

  /** Whether the names of the last listing are those of now. */
  #isListed(state: string, nowMs: number): boolean {
    const last = this.#listing;
    return last !== undefined && last.isSettled && last.state === state && nowMs - last.atMs < LIST_PERIOD_MS;
  }

  /** Follows new files, and returns what stands in the way. */
  #add(names: ReadonlySet<string>): Problem[] {
    const limit = FILES_PER_JOB * this.#intake.board.maxJobs;
    const unreadable: string[] = [];
    let excess = 0;
    for (const name of names) {
      if (this.#files.has(name)) continue;
      if (name.includes(REPLACEMENT)) unreadable.push(name);
      else if (this.#files.size >= limit) excess++;
      else this.#files.set(name, new ProgressFile(this.#intake, this.#path, name, this.#listedMs));
    }
    const problems: Problem[] = [];
    if (unreadable.length > 0) {
      problems.push({
        reason: "invalid",
        message:
          `Cannot follow ${unreadable.length} files in "${this.#path}": their names are not UTF-8, such as ` +
          `"${unreadable[0]}", so let the jobs use names that are`,
      });
    }
    if (excess > 0) {
      problems.push({
        reason: "too_many",
        message:
          `Cannot follow ${excess} files in "${this.#path}": too many, so delete those of past jobs or ` +
          "raise --max-jobs",
      });
    }
    return problems;
  }

  #forget(name: string, file: ProgressFile): void {
    file.close();
    this.#files.delete(name);
    this.#fileProblems.delete(name);
  }

  #setReadable(isReadable: boolean): void {
    if (isReadable === this.#isReadable) return;
    this.#isReadable = isReadable;
    for (const [name, file] of this.#files) file.suspend(!isReadable || this.#fileProblems.has(name));
  }

  /** Returns how many bytes were read. */
  #lookAt(name: string, file: ProgressFile): number {
    this.#files.delete(name);
    this.#files.set(name, file);
    try {
      const bytes = file.look();
      if (this.#fileProblems.delete(name)) file.suspend(false);
      return bytes;
    } catch (error) {
      // Deleted since the folder was listed: the next look closes it.
      if (error instanceof Deno.errors.NotFound) return 0;
      file.suspend(true);
      this.#fileProblems.set(name, this.#fileProblem(name, error));
      return 0;
    }
  }

  #fileProblem(name: string, error: unknown): Problem {
    const isRefused = refusalOf(error) !== undefined;
    return {
      reason: isRefused ? "permission" : "invalid",
      message: `Cannot read the progress file "${this.#path}/${name}": ${
        isRefused
          ? "permission denied, so let ffmpeg's user write files that the exporter's user may read (umask 022)"
          : messageOf(error)
      }`,
    };
  }

  #folderProblem(error: unknown): Problem {
    const folder = `Cannot read the progress folder "${this.#path}"`;
    if (error instanceof Deno.errors.NotFound) {
      return {
        reason: "missing",
        message: `${folder}: it does not exist, so create it; it is looked for again`,
      };
    }
    switch (refusalOf(error)) {
      case "flag":
        return {
          reason: "permission",
          message: `${folder}: the permissions do not cover it: start with "--allow-read=${this.#path}"`,
        };
      case "system":
        return {
          reason: "permission",
          message: `${folder}: permission denied, so make it readable for the exporter's user (chmod 755)`,
        };
    }
    return { reason: "invalid", message: `${folder}: ${messageOf(error)}` };
  }
}
