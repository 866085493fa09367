/** A wrong label does not compile: each `@ts-expect-error` fails the type check where its line compiles. */
import { assertEquals } from "@std/assert";
import { type Labels, type MetricDefinition, Snapshot } from "../../lib/exposition.ts";

const NONE = { name: "a", type: "gauge", help: "" } as const satisfies MetricDefinition;
const ZONE = {
  name: "b",
  type: "gauge",
  help: "",
  labels: ["zone", "path"],
} as const satisfies MetricDefinition;

Deno.test("Snapshot.add() takes the labels of the metric and no others", () => {
  const snapshot = new Snapshot();
  const any: Labels = { zone: "", path: "" };
  const unknown: MetricDefinition = ZONE;
  const more = { zone: "", path: "", reason: "" };
  snapshot.add(NONE, 1);
  snapshot.add(ZONE, 1, { zone: "", path: "" });
  snapshot.add(unknown, 1, any);
  // @ts-expect-error: it has no label
  snapshot.add(NONE, 1, { zone: "" });
  // @ts-expect-error: labels are missing
  snapshot.add(ZONE, 1);
  // @ts-expect-error: one is missing
  snapshot.add(ZONE, 1, { zone: "" });
  // @ts-expect-error: one is wrong
  snapshot.add(ZONE, 1, { zone: "", pfad: "" });
  // @ts-expect-error: one too many, also out of sight
  snapshot.add(ZONE, 1, more);
  // @ts-expect-error: nobody knows which these are
  snapshot.add(ZONE, 1, any);
  assertEquals(snapshot.families.size, 2);
});
