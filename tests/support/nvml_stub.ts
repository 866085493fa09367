/**
 * Builds the stand-in for libnvidia-ml.so.1 (nvml_stub.c) and hands out copies of it, each with its own script.
 *
 * @module
 */
import { fromFileUrl } from "@std/path";

const SOURCE = fromFileUrl(new URL("./nvml_stub.c", import.meta.url));
const FIXTURES = new URL("../fixtures/gpu/", import.meta.url);

const built = new Map<string, Promise<Uint8Array>>();

/** Which driver the library belongs to. */
export interface StubOptions {
  /** One before R510, without the functions that came later. */
  old?: boolean;
}

/** A copy of the library in its own folder; disposing of it removes the folder, open or not. */
export class NvmlStub implements Disposable {
  /** Absolute path of the library. */
  readonly path: string;
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.path = `${folder}/libnvidia-ml.so.1`;
  }

  /** Makes a copy with this script. */
  static async create(script: string, { old = false }: StubOptions = {}): Promise<NvmlStub> {
    const flags = old ? ["-DOLD_DRIVER"] : [];
    const key = flags.join();
    const library = await (built.get(key) ?? built.set(key, compile(flags)).get(key));
    const stub = new NvmlStub(await Deno.makeTempDir({ prefix: "nvml-stub-" }));
    stub.script = script;
    await Deno.writeFile(stub.path, library ?? new Uint8Array());
    await Deno.chmod(stub.#folder, 0o755);
    return stub;
  }

  /** What the library answers from now on. */
  set script(text: string) {
    // In one step: the library reads it while it is replaced.
    Deno.writeTextFileSync(`${this.#folder}/next`, text);
    Deno.renameSync(`${this.#folder}/next`, `${this.#folder}/script`);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.#folder, { recursive: true });
  }
}

/** The script of a case under tests/fixtures/gpu/. */
export async function readScript(name: string): Promise<string> {
  return await Deno.readTextFile(new URL(`${name}/script`, FIXTURES));
}

async function compile(flags: string[]): Promise<Uint8Array> {
  const folder = await Deno.makeTempDir({ prefix: "nvml-stub-build-" });
  try {
    const output = `${folder}/stub.so`;
    await runCc([
      "-O2",
      "-Wall",
      "-Wextra",
      "-Werror",
      "-shared",
      "-fPIC",
      ...flags,
      "-o",
      output,
      SOURCE,
      "-ldl",
      "-lpthread",
    ]);
    return await Deno.readFile(output);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs the C compiler. @throws {Error} with its output when it fails */
export async function runCc(args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("cc", { args, stdin: "null" }).output();
  if (!success) throw new Error(`cc fails: ${new TextDecoder().decode(stderr)}`);
}
