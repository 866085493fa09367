/**
 * Random tests that are bounded in time and can be repeated: each round has a seed of its own, which a failure names.
 *
 * `deno task fuzz 600` gives each test 600 seconds; `FUZZ_SEED=N deno task fuzz` begins with that round.
 *
 * @module
 */
import { Random } from "./random.ts";

/** How long each test goes on unless it says so itself, in seconds. @default {3} */
export const FUZZ_SECONDS: number = Number(Deno.args[0] ?? Deno.env.get("FUZZ_SECONDS") ?? 3);

/** Runs rounds until the time is over; at least one. @throws {Error} that names the seed of a round that failed */
export async function fuzz(
  name: string,
  round: (random: Random) => void | Promise<void>,
  seconds: number = FUZZ_SECONDS,
): Promise<void> {
  const endMs = performance.now() + seconds * 1000;
  const first = Number(Deno.env.get("FUZZ_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);
  let rounds = 0;
  do {
    const seed = (first + rounds++) >>> 0;
    try {
      await round(new Random(seed));
    } catch (cause) {
      throw new Error(`${name} fails: repeat it with FUZZ_SEED=${seed}`, { cause });
    }
  } while (performance.now() < endMs);
  const line = `fuzz: ${name}: ${rounds} rounds in ${seconds} s from seed ${first}\n`;
  Deno.stderr.writeSync(new TextEncoder().encode(line));
}
