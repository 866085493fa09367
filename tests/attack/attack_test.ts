/** Each attack for a moment; `deno task attack` goes on for longer. */
import { CATALOG, type ExporterName } from "../../exporters/catalog.ts";
import { canLimitMemory } from "../support/memory_limit.ts";
import { needs, runsIf } from "../support/programs.ts";
import { ATTACKS } from "./attacks.ts";
import { besiege } from "./siege.ts";

const NAMES = Object.keys(CATALOG) as ExporterName[];

for (const [index, name] of NAMES.entries()) {
  // All exporters listen in the same way, so each meets a part of the attacks.
  const attacks = Object.keys(ATTACKS).filter((_, at) => at % NAMES.length === index);
  Deno.test({
    name: `${name} exporter holds within its unit's limits against: ${attacks.join(", ")}`,
    ignore: needs("curl", "prlimit").ignore || runsIf(canLimitMemory(), "they make control groups").ignore,
    fn: async () => {
      // The machine may be busy: what counts here is that answers come.
      await besiege(name, attacks, { seconds: 2, patienceSeconds: 10 });
    },
  });
}
