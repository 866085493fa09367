/**
 * Follows a folder with one progress file per job (`ffmpeg … -progress /run/ffmpeg-progress/JOB`).
 *
 * The exporter only reads: who starts the jobs deletes the files. Links, hidden files and whatever else is no
 * plain file are left alone.
 *
 * @module
 */
import type { Collection, Collector, Problem } from "../../lib/collector.ts";
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

/** Follows the files of a folder, and reports on it as a source. */
export class ProgressFolder implements Collector {
  readonly source = "progress_dir";
  readonly #intake: Intake;
  readonly #path: string;
  readonly #match: RegExp | undefined;
  readonly #files = new Map<string, ProgressFile>();
  #isFirstLook = true;
  #problems: readonly Problem[] = [];
  #isReadable = false;
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
    return { up: this.#isReadable, snapshot, problems: this.#problems };
  }

  /** Reads what is new in every file. */
  look(): void {
    this.#lookedMs = this.#intake.board.nowMs();
    const names = this.#list();
    if (!names) return;
    const problems: Problem[] = [];
    const limit = FILES_PER_JOB * this.#intake.board.maxJobs;
    for (const name of names) {
      let file = this.#files.get(name);
      if (!file) {
        if (this.#files.size >= limit) continue;
        file = new ProgressFile(this.#intake, this.#path, name, this.#isFirstLook);
        this.#files.set(name, file);
      }
      const problem = this.#lookAt(file, name);
      if (problem) problems.push(problem);
    }
    for (const [name, file] of this.#files) {
      if (names.has(name)) continue;
      file.close();
      this.#files.delete(name);
    }
    if (names.size > limit) problems.push(this.#crowded(names.size - limit));
    this.#isFirstLook = false;
    // One unreadable file is told in full, the rest would only repeat it.
    this.#problems = problems.slice(0, 3);
  }

  #list(): Set<string> | undefined {
    const names = new Set<string>();
    try {
      for (const { name, isFile } of Deno.readDirSync(this.#path)) {
        if (isFile && !name.startsWith(".") && (this.#match?.test(name) ?? true)) names.add(name);
      }
    } catch (error) {
      this.#problems = [this.#folderProblem(error)];
      this.#setReadable(false);
      this.#isFirstLook = true;
      return undefined;
    }
    this.#setReadable(true);
    return names;
  }

  #setReadable(isReadable: boolean): void {
    this.#isReadable = isReadable;
    for (const file of this.#files.values()) file.suspend(!isReadable);
  }

  #lookAt(file: ProgressFile, name: string): Problem | undefined {
    try {
      file.look();
      file.suspend(false);
    } catch (error) {
      // Deleted since the folder was listed: the next look closes it.
      if (error instanceof Deno.errors.NotFound) return undefined;
      file.suspend(true);
      return {
        reason: refusalOf(error) ? "permission" : "invalid",
        message: `Cannot read the progress file "${this.#path}/${name}": ${
          refusalOf(error)
            ? "permission denied, so let ffmpeg's user write files that the exporter's user may read (umask 022)"
            : messageOf(error)
        }`,
      };
    }
    return undefined;
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

  #crowded(count: number): Problem {
    return {
      reason: "too_many",
      message:
        `Cannot follow ${count} files in "${this.#path}": too many, so delete those of past jobs or raise --max-jobs`,
    };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
