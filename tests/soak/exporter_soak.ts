/**
 * Soaks one exporter: its source never stands still, two scrapers ask in turn, and every now and then a fault
 * happens to it and is over again. Everything that is not as it should be is written down.
 *
 * @module
 */
import { eventually } from "../support/exporter_process.ts";
import type { Fault } from "../faults/fault.ts";
import { anonymousBytes, openFiles } from "../support/process_state.ts";
import type { Random } from "../support/random.ts";
import { type Page, readPage, sourceHealth, valueIn } from "../support/rigs/rig.ts";
import { CounterWatch } from "./counters.ts";
import type { Subject } from "./subjects.ts";
import { type Lie, LieWatch } from "./lies.ts";
import { History, type PageTimes } from "./truth.ts";
import { WaitingTime } from "./waiting_time.ts";

/** The process at a moment between two faults. */
export interface Measurement {
  readonly second: number;
  /** Resident memory that belongs to no file. */
  readonly anonymousBytes: number;
  /** What JavaScript holds once all garbage is collected. */
  readonly usedBytes: number;
  readonly openFiles: number;
  readonly series: number;
}

/** What came of it. */
export interface SoakResult {
  readonly scrapes: number;
  /** Values that were held against the truth. */
  readonly compared: number;
  /** Pages of a moving source that were not, for the machine was starved. */
  readonly unjudged: number;
  /** Metrics that were among them. */
  readonly metrics: ReadonlySet<string>;
  /** The lies, and how often each was found, by metric. */
  readonly lies: readonly Pick<LieWatch, "what" | "found">[];
  /** Faults that befell it, by name, with their number. */
  readonly faults: Readonly<Record<string, number>>;
  readonly measurements: readonly Measurement[];
  /** What was not as it should be. */
  readonly violations: readonly string[];
}

const CHURN_MS = 200;
/** Each of the two scrapers asks this often. */
const SCRAPE_MS = 1_000;
/** From one fault to the next, least and most. */
const FAULT_PAUSE_MS = [5_000, 15_000] as const;
/** How long a fault lasts once it is seen. */
const FAULT_MS = [500, 3_000] as const;
/** Longest until a fault is seen, and until it is over. */
const PATIENCE_MS = 40_000;
const MOST_VIOLATIONS = 50;
/** A page that takes longer shows a machine that is starved, for this long after it, in milliseconds. */
const SLOW_PAGE_MS = 1_000;
const STARVED_MS = 10_000;
/** So does an exporter that waited this long for the processor within five seconds, in milliseconds. */
const STARVED_WAIT_MS = 2_500;

/** Options of {@linkcode soakExporter}. */
export interface SoakOptions {
  readonly name: string;
  readonly random: Random;
  readonly seconds: number;
  readonly say: (line: string) => void;
  /** Falsified pages that are judged beside the true ones. @default {[]} */
  readonly lies?: readonly Lie[];
}

/** Soaks an exporter for as long as it is told. */
export function soakExporter(subject: Subject, options: SoakOptions): Promise<SoakResult> {
  return new ExporterSoak(subject, options).run();
}

class ExporterSoak {
  readonly #subject: Subject;
  readonly #options: SoakOptions;
  readonly #history: History;
  readonly #counters = new CounterWatch();
  readonly #waiting: WaitingTime;
  readonly #names = new Set<string>();
  readonly #lies: readonly LieWatch[];
  readonly #violations: string[] = [];
  readonly #faults: Record<string, number> = {};
  readonly #measurements: Measurement[] = [];
  readonly #startedMs = performance.now();
  #scrapes = 0;
  #unjudged = 0;
  #starvedUntilMs = 0;
  #compared = 0;
  /** The fault that lasts, if one does: then the source stands still. */
  #fault: Fault | undefined;
  /** Values were seen to be withheld, and must be so until the fault is over. */
  #isWithheld = false;
  /** Pages are read one after the other, so that their order is known. */
  #turn: Promise<unknown> = Promise.resolve();
  /** The latest change of the source: until it is over, a page may be ahead of the history. */
  #change: Promise<unknown> = Promise.resolve();

  constructor(subject: Subject, options: SoakOptions) {
    this.#subject = subject;
    this.#options = options;
    this.#history = new History(subject.tracked, subject.maxAgeMs);
    this.#waiting = new WaitingTime(subject.rig.exporter.pid);
    this.#lies = (options.lies ?? []).map((lie) => new LieWatch(lie));
  }

  async run(): Promise<SoakResult> {
    await this.#settle();
    await Promise.all([this.#churn(), this.#scrape(0), this.#scrape(SCRAPE_MS / 2), this.#injectFaults()]);
    return {
      scrapes: this.#scrapes,
      compared: this.#compared,
      unjudged: this.#unjudged,
      metrics: this.#names,
      lies: this.#lies,
      faults: this.#faults,
      measurements: this.#measurements,
      violations: this.#violations,
    };
  }

  get #isOver(): boolean {
    return performance.now() - this.#startedMs > this.#options.seconds * 1000;
  }

  /** Whether the machine gave the exporter, or the judge, so little that ages say nothing of the exporter. */
  #isStarved(nowMs: number): boolean {
    return nowMs < this.#starvedUntilMs || this.#waiting.lateMs > STARVED_WAIT_MS;
  }

  /** How much older than otherwise values may be now. */
  get #lateMs(): number {
    return this.#waiting.lateMs + (this.#subject.sourceMs?.() ?? 0);
  }

  #violate(what: string): void {
    if (this.#violations.length >= MOST_VIOLATIONS) return;
    const second = Math.round((performance.now() - this.#startedMs) / 1000);
    const during = this.#fault ? ` during "${this.#fault.what}"` : "";
    this.#violations.push(`second ${second}${during}: ${what}`);
    this.#options.say(`${this.#options.name}: wrong: second ${second}${during}: ${what}`);
  }

  async #churn(): Promise<void> {
    while (!this.#isOver) {
      if (!this.#fault) await (this.#change = this.#changeSource());
      await pause(CHURN_MS);
    }
  }

  async #changeSource(): Promise<void> {
    const { churn, truth } = this.#subject;
    const fromMs = performance.now();
    await churn(this.#options.random);
    this.#history.record(await truth(), fromMs, performance.now());
  }

  async #scrape(delayMs: number): Promise<void> {
    await pause(delayMs);
    while (!this.#isOver) {
      const startedMs = performance.now();
      await this.#look();
      await pause(Math.max(0, SCRAPE_MS - (performance.now() - startedMs)));
    }
  }

  /** Reads a page and judges it. */
  #look(): Promise<void> {
    const turn = this.#turn.then(async () => {
      const before = this.#fault;
      const wasWithheld = this.#isWithheld;
      const askedMs = performance.now();
      try {
        const page = await readPage(this.#subject.rig);
        const receivedMs = performance.now();
        this.#scrapes++;
        await this.#change;
        await this.#follow(receivedMs);
        this.#judge(page, {
          askedMs,
          receivedMs,
          isQuiet: before === undefined && this.#fault === undefined,
          wasWithheld,
        });
      } catch (error) {
        if (![before, this.#fault].some((fault) => fault && mayGoUnanswered(fault))) {
          this.#violate(messageOf(error));
        }
      }
    });
    this.#turn = turn;
    return turn;
  }

  /** Takes note of what is true after a page, where that moves by itself. */
  async #follow(sinceMs: number): Promise<void> {
    if (!this.#subject.isMoving) return;
    this.#history.record(await this.#subject.truth(), sinceMs, performance.now());
  }

  #judge(page: Page, at: PageTimes & { isQuiet: boolean; wasWithheld: boolean }): void {
    for (const fallen of this.#counters.check(page)) this.#violate(fallen);
    const series = countSeries(page);
    if (series > this.#subject.maxSeries) this.#violate(`${series} series`);
    if (at.receivedMs - at.askedMs > SLOW_PAGE_MS) this.#starvedUntilMs = at.receivedMs + STARVED_MS;
    if (at.isQuiet && this.#subject.isMoving && this.#isStarved(at.receivedMs)) this.#unjudged++;
    else if (at.isQuiet) {
      const times = { ...at, lateMs: this.#lateMs };
      const { faults, compared } = this.#history.compare(page, times);
      this.#compared += compared.length;
      for (const key of compared) this.#names.add(key.replace(/ .*/s, ""));
      for (const fault of faults) this.#violate(fault);
      for (const lie of this.#lies) {
        lie.judge(page, (falsified) => this.#history.compare(falsified, times).faults);
      }
    } else if (at.wasWithheld && this.#isWithheld && valueIn(page, this.#subject.rig.canary) !== undefined) {
      this.#violate("a value is shown that nobody can know");
    }
  }

  async #injectFaults(): Promise<void> {
    const { random, seconds, say, name } = this.#options;
    const [first, ...others] = this.#subject.faults;
    while (first) {
      await this.#measure();
      await pause(random.int(...FAULT_PAUSE_MS));
      if (performance.now() - this.#startedMs > (seconds - 10) * 1000) break;
      const fault = random.pick([first, ...others]);
      this.#faults[`${fault.kind}: ${fault.what}`] = (this.#faults[`${fault.kind}: ${fault.what}`] ?? 0) + 1;
      say(`${name}: ${fault.kind}: ${fault.what}`);
      try {
        await this.#suffer(fault);
      } catch (error) {
        this.#violate(messageOf(error));
        await fault.heal(this.#subject.rig);
        await this.#settle().catch((error) => this.#violate(messageOf(error)));
      }
      this.#fault = undefined;
    }
    await this.#measure();
  }

  async #suffer(fault: Fault): Promise<void> {
    const { rig } = this.#subject;
    this.#fault = fault;
    await this.#change;
    await fault.inject(rig);
    if (fault.values !== "no answer") await eventually(() => this.#assertSeen(fault), PATIENCE_MS);
    this.#isWithheld = fault.values === "withheld";
    await pause(this.#options.random.int(...FAULT_MS));
    this.#isWithheld = false;
    await fault.heal(rig);
    await this.#settle();
  }

  async #assertSeen({ health, values }: Fault): Promise<void> {
    const { rig } = this.#subject;
    const { reason } = await sourceHealth(rig);
    if (health !== undefined && !reason.includes(health)) {
      throw new Error(`/health says "${reason}", not "${health}"`);
    }
    if (values === "withheld" && valueIn(await readPage(rig), rig.canary) !== undefined) {
      throw new Error("the value is still shown");
    }
  }

  /** Waits until all is well and the page shows what is true, and begins a new history there. */
  async #settle(): Promise<void> {
    const { rig, truth, maxAgeMs, isMoving, rest } = this.#subject;
    await rest?.();
    await pause(maxAgeMs);
    await eventually(async () => {
      const before = await truth();
      const beforeMs = performance.now();
      if (isMoving) await pause(maxAgeMs);
      const askedMs = performance.now();
      const page = await readPage(rig);
      const receivedMs = performance.now();
      const { status, reason } = await sourceHealth(rig);
      if (status !== "ok") throw new Error(`/health does not become ok: ${reason}`);
      this.#history.rebase(before, page, beforeMs);
      await this.#follow(receivedMs);
      const times = { askedMs, receivedMs, lateMs: this.#lateMs };
      const [wrong] = this.#history.compare(page, times).faults;
      if (wrong !== undefined) throw new Error(`the page does not become true: ${wrong}`);
    }, PATIENCE_MS);
  }

  async #measure(): Promise<void> {
    const { exporter } = this.#subject.rig;
    const page = await readPage(this.#subject.rig);
    const resident = anonymousBytes(exporter.pid);
    this.#measurements.push({
      second: Math.round((performance.now() - this.#startedMs) / 1000),
      anonymousBytes: resident,
      usedBytes: await (await fetch(`${exporter.url}/memory`)).json(),
      openFiles: openFiles(exporter.pid),
      series: countSeries(page),
    });
  }
}

/** A process that is stopped does not answer, and one that 200 others ask at once may say 503. */
function mayGoUnanswered({ kind, values }: Fault): boolean {
  return values === "no answer" || kind === "flooding" || kind === "disconnecting";
}

function countSeries({ families }: Page): number {
  return [...families.values()].reduce((sum, { samples }) => sum + samples.length, 0);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
