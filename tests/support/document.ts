/**
 * The commands of a document: its code blocks that are marked as tested, as in "```sh tested worker".
 *
 * @module
 */
import { ROOT } from "./exporter_process.ts";

const BLOCK_REGEXP = /^( *)```sh tested ?(\S*)\n([\s\S]*?)^ *```$/gm;

/** The tested blocks of a document, in order, that carry this mark (`""`: none beyond "tested"). */
export function testedBlocks(document: string, mark: string): string[] {
  const text = Deno.readTextFileSync(`${ROOT}${document}`);
  return Array.from(text.matchAll(BLOCK_REGEXP))
    .filter(([, , given]) => given === mark)
    .map(([, indent = "", , script = ""]) => script.replaceAll(new RegExp(`^${indent}`, "gm"), ""));
}

/** What is left in the background when a command fails would keep the output open. */
const PROLOGUE = "exec 2>&1; trap 'kill $(jobs -p) 2>/dev/null || true' EXIT";

/** Options of {@linkcode runScript}. */
export interface RunScriptOptions {
  /** Words before bash. */
  readonly prefix?: readonly string[];
  /** What stands before the script. */
  readonly prologue?: string;
  readonly env?: Record<string, string>;
}

/** Runs a script, every line of which must succeed, and returns what it printed. @throws {Error} when one fails */
export async function runScript(script: string, options: RunScriptOptions = {}): Promise<string> {
  const { prefix = [], prologue = "", env = {} } = options;
  const [command = "", ...args] = [
    ...prefix,
    "bash",
    "-euxo",
    "pipefail",
    "-c",
    `${PROLOGUE}\n${prologue}\n${script}`,
  ];
  const child = new Deno.Command(command, { args, cwd: ROOT, env, stdin: "null" });
  const { success, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  const output = decoder.decode(stdout) + decoder.decode(stderr);
  if (!success) throw new Error(`The document's commands fail:\n${output}`);
  return output;
}
