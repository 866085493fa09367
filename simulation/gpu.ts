/**
 * The GPU exporter on two GPUs that do not exist: transcoding cards whose load comes and goes.
 *
 * Needs only `--allow-net`. Everything above NVML's functions is the real exporter.
 *
 * @module
 */
import { createProgram } from "../exporters/gpu/main.ts";
import { runExporter } from "../lib/exporter.ts";
import { createFakeSymbols, type FakeGpu, type FakeMachine, type FakeSession } from "./nvml_fake.ts";

const POWER_LIMIT_WATTS = 72;
const IDLE_WATTS = 14;
const MEMORY_BYTES = 24_152_899_584n;
const RESERVED_BYTES = 501_219_328n;
/** How long the load takes to come and go. */
const PERIOD_SECONDS = 180;
const LADDER = [
  { codec: 0, width: 1920, height: 1080, fps: 118 },
  { codec: 0, width: 1280, height: 720, fps: 236 },
  { codec: 1, width: 1920, height: 1080, fps: 96 },
  { codec: 2, width: 1920, height: 1080, fps: 88 },
  { codec: 1, width: 3840, height: 2160, fps: 34 },
] as const;

/** Options of {@linkcode simulateGpus}. */
export interface SimulateOptions {
  /** @default {() => performance.now()} */
  monotonicMs?: () => number;
}

/** A machine with two transcoding cards, each time as it is when asked. */
export function simulateGpus({ monotonicMs = () => performance.now() }: SimulateOptions = {}): FakeMachine {
  const cards = [new Card(0), new Card(1)];
  return {
    driverVersion: "simulated",
    get gpus(): FakeGpu[] {
      const seconds = monotonicMs() / 1000;
      return cards.map((card) => card.at(seconds));
    },
  };
}

/** A card that encodes: its power, heat and clocks follow its load, its counters never fall. */
class Card {
  readonly #index: number;
  #gpu: FakeGpu | undefined;
  #lastSeconds = 0;
  #heat = 0;
  #energyMillijoules = 0;
  #pcieBytes = 0;

  constructor(index: number) {
    this.#index = index;
  }

  at(seconds: number): FakeGpu {
    // All calls of one reading see the same moment.
    if (this.#gpu && seconds - this.#lastSeconds < 0.2) return this.#gpu;
    const elapsed = Math.max(0, seconds - this.#lastSeconds);
    this.#lastSeconds = seconds;
    const load = this.#loadAt(seconds);
    const watts = IDLE_WATTS + (POWER_LIMIT_WATTS - IDLE_WATTS) * load * 0.95;
    this.#heat += (load - this.#heat) * Math.min(1, elapsed / 20);
    this.#energyMillijoules += watts * 1000 * elapsed;
    this.#pcieBytes += 900e6 * load * elapsed;
    return this.#gpu = this.#describe(load, watts);
  }

  /** From 0 to 1: slow waves with a ripple; the two cards take turns. */
  #loadAt(seconds: number): number {
    const turn = 2 * Math.PI * (seconds / PERIOD_SECONDS + this.#index * 0.35);
    return Math.min(1, Math.max(0, 0.5 + 0.45 * Math.sin(turn) + 0.05 * Math.sin(turn * 23)));
  }

  #describe(load: number, watts: number): FakeGpu {
    const sessions = this.#sessions(load);
    const active = sessions.length > 0;
    return {
      uuid: `GPU-00000000-0000-0000-0000-00000000000${this.#index}`,
      name: "Simulated L4",
      pciBusId: `00000000:0${this.#index + 1}:00.0`,
      powerMilliwatts: watts * 1000,
      powerLimitMilliwatts: POWER_LIMIT_WATTS * 1000,
      temperatureCelsius: 36 + 38 * this.#heat,
      utilizationPercent: [12 * load, 20 * load],
      encoderPercent: active ? 98 * load : 0,
      decoderPercent: active ? 60 * load : 0,
      sessions,
      encoderCapacityPercent: [1, 1, 1].map(() => 100 - 95 * load),
      memory: {
        total: MEMORY_BYTES,
        reserved: RESERVED_BYTES,
        used: BigInt(sessions.length) * 412_000_000n + 1_048_576n,
      },
      clocksMegahertz: active ? [2040, 2040, 6251, 1770] : [210, 210, 405, 555],
      clocksMaxMegahertz: [2040, 2040, 6251, 1770],
      performanceState: active ? 0 : 8,
      eventReasons: active ? (load > 0.9 ? 0x4n : 0n) : 0x1n,
      pcieLink: active ? [4, 16] : [1, 16],
      fields: {
        3: 0n,
        4: 0n,
        5: 0n,
        6: 0n,
        83: BigInt(Math.round(this.#energyMillijoules)),
        94: 0n,
        197: BigInt(Math.round(this.#pcieBytes * 0.4)),
        198: BigInt(Math.round(this.#pcieBytes)),
      },
    };
  }

  #sessions(load: number): FakeSession[] {
    return LADDER.slice(0, Math.round(load * LADDER.length)).map((rung, index) => ({
      ...rung,
      id: index + 1,
      pid: 4000 + 100 * this.#index + Math.floor(index / 2),
      fps: rung.fps * (1.2 - 0.4 * load),
      latencyMicroseconds: 4000 + 9000 * load,
    }));
  }
}

if (import.meta.main) {
  const symbols = createFakeSymbols(simulateGpus());
  const program = createProgram(() => ({ path: "simulated", symbols }));
  Deno.exit(await runExporter(program, Deno.args, { simulated: "two GPUs that transcode" }));
}
