/**
 * What each metric of docs/METRICS.md is held against, as a table in tests/README.md.
 *
 * @module
 */
import { markdownTable, withRegion } from "../../scripts/generate/region.ts";
import { CPU_ROWS } from "./cpu.ts";
import { DOCKER_ROWS } from "./docker.ts";
import { FFMPEG_ROWS } from "./ffmpeg.ts";
import { GPU_ROWS } from "./gpu.ts";
import { PROCESS_ROWS } from "./process.ts";
import { isHeld, type Row } from "./row.ts";

/** What the table needs of a row. */
type Shown = Pick<Row<never>, "metric">;

/** All rows, by the heading that they have in docs/METRICS.md. */
export const TRUTH_ROWS: Readonly<Record<string, readonly Shown[]>> = {
  "Every exporter": PROCESS_ROWS,
  cpu: CPU_ROWS,
  gpu: GPU_ROWS,
  ffmpeg: FFMPEG_ROWS,
  docker: DOCKER_ROWS,
};

/** The table, as Markdown. */
export function truthTable(): string {
  const rows = Object.values(TRUTH_ROWS).flat().map((row) => {
    const { metric } = row;
    // What a row's account takes is of no matter here.
    const shown = row as Row<unknown>;
    const text = isHeld(shown)
      ? `${shown.against}${shown.why ? `; ${shown.why}` : ""}`
      : `not here: ${shown.because}`;
    return [`\`${metric.name}\``, text];
  });
  return markdownTable(
    ["Metric", "Held against"],
    rows.toSorted(([left = ""], [right = ""]) => left < right ? -1 : 1),
  );
}

const PATH = new URL("../README.md", import.meta.url);

/** The README with the table in it. @throws {SyntaxError} when its place is not marked */
export function withTruthTable(readme: string): string {
  return withRegion(readme, "what metrics are held against", truthTable(), "markdown");
}

if (import.meta.main) await Deno.writeTextFile(PATH, withTruthTable(await Deno.readTextFile(PATH)));
