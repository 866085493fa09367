/**
 * Finds libnvidia-ml.so.1, which comes with the NVIDIA driver, and opens it.
 *
 * It is tried at the paths of the manifest, or at the one given with `--nvml`.
 *
 * @module
 */
import { messageOf } from "../../lib/errors.ts";
import { NVML_PATHS } from "./manifest.ts";
import { NVML_SYMBOLS, type NvmlSymbols } from "./nvml_symbols.ts";

const BLOCKING_SYMBOLS: Deno.ForeignLibraryInterface = Object.fromEntries(
  Object.entries(NVML_SYMBOLS).map((
    [name, { parameters, result }],
  ) => [name, { parameters, result, optional: true }]),
);

/** The library could not be opened at any path. */
export class NvmlLibraryError extends Error {
  override readonly name = "NvmlLibraryError";

  /** `reason` is short, for a label: `missing`, `permission` or `invalid`. */
  constructor(readonly reason: string, message: string) {
    super(message);
  }
}

/** An open library. */
export interface NvmlLibrary {
  readonly path: string;
  readonly symbols: NvmlSymbols;
}

/** Options of {@linkcode openNvmlLibrary}. */
export interface OpenNvmlLibraryOptions {
  /** Absolute paths to try, in this order. @default {NVML_PATHS} */
  paths?: readonly string[];
  /** @default {Deno.dlopen} */
  dlopen?: (path: string) => { symbols: NvmlSymbols };
  /** Whether `--allow-ffi` covers a path. @default {Deno.permissions} */
  mayOpen?: (path: string) => boolean;
}

/**
 * Opens the first library that works. It stays open for the life of the process: a call may be inside at any time,
 * and once the permission is revoked it could not be opened again.
 *
 * @throws {NvmlLibraryError} with what was tried and what to do
 */
export function openNvmlLibrary(options: OpenNvmlLibraryOptions = {}): NvmlLibrary {
  const { paths = NVML_PATHS, dlopen = openPath, mayOpen = mayOpenPath } = options;
  const granted = paths.filter(mayOpen);
  if (granted.length === 0) {
    throw new NvmlLibraryError(
      "permission",
      `Cannot open the NVIDIA library: the permissions cover none of its paths; ` +
        `start with "--allow-ffi=${paths.join(",")}"`,
    );
  }
  const broken: string[] = [];
  for (const path of granted) {
    try {
      const { symbols } = dlopen(path);
      if (symbols.nvmlInit_v2 && symbols.nvmlDeviceGetCount_v2) return { path, symbols };
      broken.push(`"${path}" is not NVML: it lacks nvmlInit_v2`);
    } catch (error) {
      const message = messageOf(error);
      if (!/no such file/i.test(message)) broken.push(`"${path}": ${message.replace(/\.?\s*$/, "")}`);
    }
  }
  if (broken.length > 0) {
    throw new NvmlLibraryError(
      "invalid",
      `Cannot open the NVIDIA library: ${
        broken.join("; ")
      }; install the driver's own library of this architecture`,
    );
  }
  throw new NvmlLibraryError(
    "missing",
    `No NVIDIA library at ${granted.map((path) => `"${path}"`).join(", ")}: without an NVIDIA GPU this is ` +
      `expected; with one, install its driver, or name the library with "--nvml PATH" and "--allow-ffi=PATH"`,
  );
}

/**
 * Opens a library, with null for each function that it lacks.
 *
 * Deno 2.9.6 yields null for a missing function only where it is blocking; a missing non-blocking one throws when
 * called. So the library is opened a second time, blocking, to see what is missing.
 */
function openPath(path: string): { symbols: NvmlSymbols } {
  const { symbols } = Deno.dlopen(path, NVML_SYMBOLS);
  const probe = Deno.dlopen(path, BLOCKING_SYMBOLS);
  const present = Object.fromEntries(
    Object.entries(symbols).map(([name, call]) => [name, probe.symbols[name] ? call : null]),
  );
  probe.close();
  return { symbols: present as NvmlSymbols };
}

function mayOpenPath(path: string): boolean {
  return Deno.permissions.querySync({ name: "ffi", path }).state === "granted";
}
