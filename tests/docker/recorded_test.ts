/** The docker exporter on recorded answers of engines: tests/fixtures/docker, one engine a file, recorded by vintages_test.ts. */
import { assertEquals } from "@std/assert";
import type { DockerApi } from "../../exporters/docker/docker_api.ts";
import { parseEngine } from "../../exporters/docker/engine.ts";
import { EngineReader } from "../../exporters/docker/engine_reader.ts";
import { engineSnapshot } from "../../exporters/docker/engine_snapshot.ts";
import { Exposition } from "../../lib/exposition.ts";
import { assertGolden } from "../support/golden.ts";

const FIXTURES = new URL("../fixtures/docker/", import.meta.url);

interface Recording {
  readonly version: Record<string, unknown>;
  readonly list: unknown[];
  readonly containers: Record<
    string,
    { readonly inspection: Record<string, unknown>; readonly stats: Record<string, unknown> }
  >;
}

const names = [...Deno.readDirSync(FIXTURES)].map(({ name }) => name).filter((name) => name.endsWith(".json"))
  .sort();

for (const file of names) {
  const name = file.replace(".json", "");
  Deno.test(`docker exporter reads what was recorded of ${name}`, async () => {
    const recording: Recording = JSON.parse(await Deno.readTextFile(new URL(file, FIXTURES)));
    const api = {
      negotiate: () => Promise.resolve(parseEngine(recording.version)),
      list: () => Promise.resolve(recording.list),
      inspect: (id: string) => Promise.resolve(recording.containers[id]?.inspection),
      stats: (id: string) => Promise.resolve(recording.containers[id]?.stats),
    } as unknown as DockerApi;
    const reader = new EngineReader({ api, isWanted: () => true, hasEvents: () => false });
    const reading = await reader.read();
    assertEquals(reading.problems, []);
    await assertGolden(
      `docker/${name}`,
      await new Exposition().render([engineSnapshot(reading, undefined)], "text"),
    );
  });
}
