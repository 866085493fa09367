/** The soak's own checks notice what they are there for. */
import { assertEquals } from "@std/assert";
import { CounterWatch } from "./counters.ts";
import { History, keyOf, type PageTimes } from "./truth.ts";
import { parseExposition } from "../support/exposition_parser.ts";
import type { Page } from "../support/rigs/rig.ts";

function page(...samples: string[]): Page {
  const families = Map.groupBy(samples, (sample) => /^\w+/.exec(sample)?.[0] ?? "");
  const text = [...families].map(([name, lines]) => {
    const type = name.endsWith("_total") ? "counter" : "gauge";
    return `# HELP ${name} A value.\n# TYPE ${name} ${type}\n${lines.join("\n")}\n`;
  }).join("");
  return { text, families: parseExposition(text, "text/plain; version=0.0.4") };
}

/** A page that was asked for and received at one moment. */
function at(ms: number): PageTimes {
  return { askedMs: ms, receivedMs: ms };
}

const key = keyOf("power", "a");

/** A value that was 1, and 2 from the tenth second on, and may be shown for one second. */
function history(): History {
  const past = new History([{ name: "power", labels: ["gpu"] }], 1_000);
  past.record(new Map([[key, 1]]), 0, 0);
  past.record(new Map([[key, 2]]), 10_000, 10_000);
  return past;
}

Deno.test("History.compare() takes what was true a moment before, and nothing older", () => {
  const past = history();
  assertEquals(past.compare(page('power{gpu="a"} 2'), at(12_000)), { faults: [], compared: [key] });
  assertEquals(past.compare(page('power{gpu="a"} 1'), at(10_900)).faults, []);
  assertEquals(past.compare(page('power{gpu="a"} 1'), at(11_100)).faults, [
    "power a is 1: it was last 2",
  ]);
  assertEquals(past.compare(page('power{gpu="a"} 3'), at(12_000)).faults, [
    "power a is 3: it was last 2",
  ]);
});

Deno.test("History.compare() misses what is not shown, and finds what does not exist or is gone", () => {
  const past = history();
  const other = 'power{gpu="b"} 2';
  assertEquals(past.compare(page(other), at(12_000)).faults, [
    "power b is 2: there is no such thing",
    "power a is not on the page",
  ]);
  past.record(new Map(), 20_000, 20_000);
  assertEquals(past.compare(page('power{gpu="a"} 2'), at(20_500)).faults, []);
  assertEquals(past.compare(page('power{gpu="a"} 2'), at(21_500)).faults, [
    "power a is 2: it was last 2, and is gone",
  ]);
});

Deno.test("History.rebase() lets lossy counters go on from where they are, and nothing else", () => {
  const past = new History([{ name: "j_total", isLossy: true }, { name: "power" }], 1_000);
  past.rebase(new Map([[keyOf("j_total"), 100], [keyOf("power"), 5]]), page("j_total 40", "power 4"), 0);
  assertEquals(past.compare(page("j_total 40", "power 4"), at(0)).faults, ["power  is 4: it was last 5"]);
});

Deno.test("CounterWatch finds counters that fall, whoever asked, and leaves gauges alone", () => {
  const watch = new CounterWatch();
  assertEquals(watch.check(page("a_total 2", "power 9")), []);
  assertEquals(watch.check(page("a_total 2", "power 3")), []);
  assertEquals(watch.check(page("a_total 1")), ["a_total{} fell from 2 to 1"]);
});
