/**
 * NVIDIA's own libnvidia-ml.so.1 of several drivers, from Debian's non-free packages.
 *
 * NVML_LIBRARIES names a folder that holds them as `<suite>/usr/lib/…/libnvidia-ml.so.1`. Without it they are
 * downloaded once, from the mirror that this machine's apt uses, into the user's cache folder. Nothing is installed.
 *
 * @module
 */
import type { NvmlSymbols } from "../../exporters/gpu/nvml_symbols.ts";
import { isInstalled, needs, runsIf } from "./programs.ts";

type Name = keyof NvmlSymbols;

/** What R470 lacks: the functions that came with R510 and R525. */
const SINCE_R510 = [
  "nvmlDeviceGetComputeRunningProcesses_v3",
  "nvmlDeviceGetGraphicsRunningProcesses_v3",
  "nvmlDeviceGetMemoryInfo_v2",
  "nvmlDeviceGetNumFans",
] as const satisfies readonly Name[];
const SINCE_R535 = [
  "nvmlDeviceGetCurrentClocksEventReasons",
  "nvmlDeviceGetJpgUtilization",
  "nvmlDeviceGetOfaUtilization",
  "nvmlDeviceGetSupportedClocksEventReasons",
] as const satisfies readonly Name[];
const SINCE_R570 = ["nvmlDeviceGetTemperatureV"] as const satisfies readonly Name[];

/** A driver of a Debian suite. */
export interface NvidiaDriver {
  readonly suite: string;
  /** The driver's branch. */
  readonly branch: number;
  /** Functions of the exporter's table that its library does not export. */
  readonly lacks: readonly Name[];
}

/** The drivers that Debian serves. */
export const NVIDIA_DRIVERS: readonly NvidiaDriver[] = [
  { suite: "bullseye", branch: 470, lacks: [...SINCE_R510, ...SINCE_R535, ...SINCE_R570] },
  { suite: "bookworm", branch: 535, lacks: SINCE_R570 },
  { suite: "trixie", branch: 550, lacks: SINCE_R570 },
];

const LIBRARY_REGEXP = /\/libnvidia-ml\.so\.\d+\.[\d.]+$/;

/** The library of a driver; undefined where it is not to be had. */
export async function nvidiaLibrary({ suite }: NvidiaDriver): Promise<string | undefined> {
  const given = Deno.env.get("NVML_LIBRARIES");
  const folder = `${given ?? cacheFolder()}/${suite}`;
  const known = await find(folder);
  if (known || given || !isInstalled("apt-get") || !isInstalled("dpkg-deb")) return known;
  await Deno.mkdir(`${folder}/lists/partial`, { recursive: true });
  const { success, stderr } = await new Deno.Command("sh", {
    args: ["-euc", DOWNLOAD, "sh", suite],
    cwd: folder,
  })
    .output();
  if (!success) Deno.stderr.writeSync(stderr);
  return await find(folder);
}

/** Options for `Deno.test` of a test with a driver's library. @throws {Error} in CI when there is none */
export function needsLibrary({ suite }: NvidiaDriver, library: string | undefined): { ignore: boolean } {
  const programs = needs("apt-get", "dpkg-deb");
  return programs.ignore ? programs : runsIf(library !== undefined, `there is no libnvidia-ml1 of ${suite}`);
}

/** Unpacks the package of a suite in the current folder, by an apt that knows nothing else. */
const DOWNLOAD = `
mirror=$(apt-get indextargets --format '$(URI)' | grep -v security | sed -n 's#/dists/.*##p' | sort -u | head -n 1)
echo "deb $mirror $1 non-free" >sources.list
apt() {
  apt-get -q -o Dir::Etc::sourcelist="$PWD/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$PWD/lists" \\
    -o Dir::Cache="$PWD/cache" -o Acquire::Languages=none -o APT::Sandbox::User= "$@" >&2
}
apt update
apt download libnvidia-ml1
for package in *.deb; do dpkg-deb -x "$package" .; done
rm -rf lists cache sources.list ./*.deb
`;

function cacheFolder(): string {
  const cache = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "/tmp"}/.cache`;
  return `${cache}/worker-exporters/nvidia`;
}

/** The library below a folder, where links to it are of no interest. */
async function find(folder: string): Promise<string | undefined> {
  const { stdout } = await new Deno.Command("find", {
    args: [folder, "-type", "f", "-name", "libnvidia-ml.so.*"],
    stderr: "null",
  }).output();
  return new TextDecoder().decode(stdout).split("\n").find((path) => LIBRARY_REGEXP.test(path));
}
