/**
 * What a process used of Deno's permissions, from the file that DENO_AUDIT_PERMISSIONS names.
 *
 * @module
 */

/** A permission that was used: `read` and a path, `net` and an address. */
export interface Use {
  readonly permission: string;
  readonly value: string;
}

/** Where a process writes down what it uses; disposing of it removes the file. */
export class Audit implements Disposable {
  readonly #path = Deno.makeTempFileSync({ prefix: "audit-" });

  /** The environment of a process that is audited. */
  get env(): Record<string, string> {
    return { DENO_AUDIT_PERMISSIONS: this.#path };
  }

  /** What was used so far, each once; without the loading of libraries, which is over before the program runs. */
  uses(): Use[] {
    const lines = Deno.readTextFileSync(this.#path).split("\n").filter(Boolean);
    const uses = new Map(lines.map((line) => {
      const { permission, value } = JSON.parse(line);
      return [`${permission} ${value}`, { permission, value: String(value) }];
    }));
    return [...uses.values()].filter(({ permission }) => permission !== "import");
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.#path);
  }
}

/** A grant of one value: `--allow-read=/a,/b` is two of them, `--ignore-env` is one of `env`. */
export function grantsOf(flags: readonly string[]): Use[] {
  return flags.flatMap((flag) => {
    if (flag === "--ignore-env") return [{ permission: "env", value: "*" }];
    const [, permission = "", values = ""] = /^--allow-(\w+)=(.*)$/.exec(flag) ?? [];
    return values.split(",").filter(Boolean).map((value) => ({ permission, value }));
  });
}

/** Whether a grant is what a use needs: the same, or for files a folder above. */
export function covers(grant: Use, use: Use): boolean {
  if (grant.permission !== use.permission) return false;
  if (grant.value === "*" || grant.value === use.value) return true;
  return grant.permission === "read" && use.value.startsWith(`${grant.value}/`);
}
