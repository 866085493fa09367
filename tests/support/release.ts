/**
 * What a release holds, and whether it works where it was installed.
 *
 * @module
 */
import { assertMatch } from "@std/assert";
import { CATALOG } from "../../exporters/catalog.ts";
import { runScript } from "./document.ts";
import { eventually, ROOT } from "./exporter_process.ts";

/** What each exporter shows only if it could read its source. */
const PROOFS: Readonly<Record<string, RegExp>> = {
  cpu: /^rapl_energy_joules_total\{zone="package-0"/m,
  gpu: /^gpu_power_watts\{/m,
  ffmpeg: /^exporter_source_up\{source="progress_dir"\} 1$/m,
  docker: /^docker_container_pids\{.*name="job"/m,
};

/** Builds archive and package into dist/. */
export async function buildRelease(): Promise<void> {
  // The script calls `deno`; where it is not installed, this one is.
  const folder = `${ROOT}dist/bin`;
  await Deno.mkdir(folder, { recursive: true });
  await runScript(`ln -sfn ${Deno.execPath()} ${folder}/deno`);
  await runScript("rm -rf dist/worker-exporters[-_]* && scripts/package", {
    env: { PATH: `${folder}:${Deno.env.get("PATH")}` },
  });
}

/** Waits until every exporter shows its source, each on its usual port. */
export async function assertAllWork(): Promise<void> {
  for (const [name, { port }] of Object.entries(CATALOG)) {
    await eventually(async () => {
      const page = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      assertMatch(page, PROOFS[name] ?? /^exporter_build_info\{/m);
    }, 30_000);
  }
}
