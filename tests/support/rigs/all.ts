/**
 * The rig of each exporter, with the programs that it needs, and all of them on the compiled executable.
 *
 * @module
 */
import { CATALOG, type ExporterName } from "../../../exporters/catalog.ts";
import type { Use } from "../audit.ts";
import { withCompiled } from "../compiled.ts";
import { CpuRig } from "./cpu.ts";
import { DockerRig } from "./docker.ts";
import { FfmpegRig } from "./ffmpeg.ts";
import { GpuRig } from "./gpu.ts";
import type { Rig, RigFactory, RigOptions } from "./rig.ts";

/** How each exporter is started on a source of the test's. */
export const RIGS: Readonly<
  Record<ExporterName, {
    readonly create: RigFactory;
    readonly programs: readonly string[];
    /** Whether the exporter keeps this grant while it serves. */
    readonly keeps: (grant: Use) => boolean;
  }>
> = {
  cpu: { create: CpuRig.create, programs: [], keeps: isRead },
  gpu: { create: GpuRig.create, programs: ["cc"], keeps: () => false },
  ffmpeg: { create: FfmpegRig.create, programs: [], keeps: isRead },
  docker: { create: DockerRig.create, programs: [], keeps: isOfSocket },
};

function isRead({ permission }: Use): boolean {
  return permission === "read";
}

function isOfSocket({ permission, value }: Use): boolean {
  return permission !== "env" && (permission !== "net" || value.startsWith("unix:"));
}

/** Starts a rig whose exporter is the executable. */
export type CreateCompiled = (name: ExporterName, options?: RigOptions) => Promise<Rig>;

/** Compiles the executable, of these modules, for sources of rigs. */
export async function withCompiledRigs(
  modules: Partial<Record<ExporterName, string>>,
  use: (create: CreateCompiled) => Promise<void>,
): Promise<void> {
  // The one path that has to be compiled in.
  const folder = `${Deno.makeTempDirSync({ prefix: "compiled-rigs-" })}/docker`;
  const flags = new Map([["docker", [`--docker-host=unix://${folder}/docker.sock`]]]);
  await withCompiled({ modules, flags }, async (executable) => {
    await use((name, options) => {
      const link = executable.replace(/[^/]*$/, CATALOG[name].artifact);
      return RIGS[name].create({ ...options, folder, command: [link] });
    });
  });
  await Deno.remove(folder.replace(/\/docker$/, ""), { recursive: true });
}
