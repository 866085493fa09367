/**
 * Attacks all exporters: `deno task attack [SECONDS] [ATTACK...]` shares the time among them. Each scrape of others must
 * be answered within 2 seconds, or ATTACK_PATIENCE on a machine that is busy with more. Needs root, curl and prlimit.
 *
 * @module
 */
import { CATALOG, type ExporterName } from "../../exporters/catalog.ts";
import { ATTACKS } from "./attacks.ts";
import { besiege } from "./siege.ts";

const [seconds = "600", ...names] = Deno.args;
const attacks = names.length > 0 ? names : Object.keys(ATTACKS);
const exporters = Object.keys(CATALOG) as ExporterName[];
const share = Number(seconds) / (attacks.length * exporters.length);
const print = (line: string): number => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
for (const name of exporters) {
  for (
    const { attack, scrapes, slowestSeconds, peakBytes } of await besiege(name, attacks, {
      seconds: share,
      patienceSeconds: Number(Deno.env.get("ATTACK_PATIENCE") ?? 2),
    })
  ) {
    print(
      `${name}: ${attack}: ${scrapes} scrapes, the slowest ${Math.round(slowestSeconds * 1000)} ms; peak ${
        Math.round(peakBytes / 1e6)
      } MB: ${ATTACKS[attack]?.what}`,
    );
  }
}
