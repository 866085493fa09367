/**
 * Reads what stands around the status lines of an ffmpeg log: a report (`FFREPORT=file=…:level=32`), or the copy of
 * its log that a program keeps. First it shows what the encode is, at its end how it ended.
 *
 * Seen with ffmpeg 4.3, 5.1, 7.1 and 9.0. https://ffmpeg.org/ffmpeg.html#Generic-options (`-report`)
 *
 * @module
 */
import { type Command, readCommand, splitReportCommand } from "./command.ts";
import { errorOfLine, type RunError } from "./report_error.ts";
import { type ReportedEncode, ReportHeader } from "./report_header.ts";

/** What a {@linkcode Report} reports. */
export interface ReportOptions {
  /** Called as soon as the log shows an encode, and again before its first status line, when all is known. */
  readonly onEncode: (encode: ReportedEncode, command: Command | undefined) => void;
  /** Called when an error or a signal ended the run; after its last status line, if it wrote one. */
  readonly onFailure: (error: RunError) => void;
}

const STARTED_REGEXP = /^(\w+) started on \d{4}-\d\d-\d\d at \d\d:\d\d:\d\d$/;
const BANNER_REGEXP = /^ffmpeg version \S/;
/** What comes first under -hide_banner. */
const INPUT_REGEXP = /^Input #0, .+, from '/;
const SIGNAL_REGEXP = /^Exiting normally, received signal \d+\.$/;
/** What ends a run before its first frame, in version 7 and later. */
const OPENING_FAILED_REGEXP = /^Error opening (?:input|output) files: /;
/** Runs that encode nothing. */
const NO_OUTPUT_REGEXP = /^(?:At least one output file must be specified|Universal media converter)/;
/** `[libx264 @ 0x55d3]` before the words of a part of ffmpeg. */
const CONTEXT_REGEXP = /^\[/;

/** Reads the text of one log. It holds what the header shows of 64 streams, and no text. */
export class Report {
  readonly #options: ReportOptions;
  #header: ReportHeader | undefined;
  #command: Command | undefined;
  #isCommandNext = false;
  /** Who wrote it; undefined as long as nothing shows that. */
  #writer: "ffmpeg" | "other" | undefined;
  #isEncode = false;
  #hasBlock = false;
  #isOver = false;
  /** The first error since the last status line: those after it are its consequences. */
  #error: RunError | undefined;

  constructor(options: ReportOptions) {
    this.#options = options;
  }

  /** Takes a line that is no status line. */
  read(line: string): void {
    if (this.#isCommandNext) {
      this.#isCommandNext = false;
      this.#command = readCommand(splitReportCommand(line));
    } else if (line === "Command line:") this.#isCommandNext = true;
    else if (STARTED_REGEXP.test(line)) this.#start(line.startsWith("ffmpeg ") ? "ffmpeg" : "other");
    else if (BANNER_REGEXP.test(line)) this.#banner();
    else if (!this.#isOver) this.#text(line);
  }

  /** A run begins; with one report after another in the same log, the next one. */
  #start(writer: "ffmpeg" | "other"): void {
    this.#writer = writer;
    this.#isEncode = this.#hasBlock = this.#isOver = false;
    this.#header = this.#command = this.#error = undefined;
  }

  /** The head of a copied log; in a report it stands below the first lines. */
  #banner(): void {
    if (this.#writer !== "ffmpeg" || this.#hasBlock) this.#start("ffmpeg");
  }

  /** Whether the next line is a command, whatever it looks like. */
  get isCommandNext(): boolean {
    return this.#isCommandNext;
  }

  /** A status line was read. */
  block(isFinal: boolean): void {
    if (!this.#hasBlock) {
      this.#hasBlock = true;
      this.#writer ??= "ffmpeg";
      this.#begin();
    }
    if (!isFinal) this.#error = undefined;
  }

  #text(line: string): void {
    if (!this.#writer && INPUT_REGEXP.test(line)) this.#writer = "ffmpeg";
    if (this.#writer !== "ffmpeg") return;
    if (NO_OUTPUT_REGEXP.test(line)) this.#writer = "other";
    else if (line === "Conversion failed!") this.#fail(this.#error ?? "other");
    else if (SIGNAL_REGEXP.test(line)) this.#fail("signal");
    else if (this.#hasBlock || !this.#readHeader(line)) this.#message(line);
  }

  #readHeader(line: string): boolean {
    this.#header ??= new ReportHeader();
    if (!this.#header.read(line)) return false;
    if (this.#header.isEncode && !this.#isEncode) this.#begin();
    return true;
  }

  #message(line: string): void {
    const error = errorOfLine(line);
    if (!error) return;
    this.#error ??= error;
    // Until version 6 the error alone shows that an input or output could not be opened.
    const isFatal = OPENING_FAILED_REGEXP.test(line) || !CONTEXT_REGEXP.test(line);
    if (!this.#isEncode && isFatal) this.#fail(this.#error);
  }

  #begin(): void {
    this.#isEncode = true;
    if (this.#header) this.#options.onEncode(this.#header.encode(this.#command), this.#command);
  }

  #fail(error: RunError): void {
    this.#isOver = true;
    this.#header ??= new ReportHeader();
    if (!this.#isEncode) this.#begin();
    this.#options.onFailure(error);
  }
}
