/**
 * Tries the real parts of every vintage: `deno task test:vintages [WORD...]`, only rows whose name has one of the words.
 *
 * Each row's part is installed in a Debian suite in a folder, and test files that exist anyway run with it. One after the
 * other, each with a time-out, and none begins after half an hour. What is not to be had is named and counts as neither
 * passed nor failed; if nothing was to be had, the run fails. Except in CI, results go to result.json and the table of tests/README.md.
 *
 * @module
 */
import { packageFlags } from "../../scripts/package_flags.ts";
import { ROOT } from "../support/exporter_process.ts";
import { readResults, type Result, writeResults } from "./table.ts";
import { nameOf, type Vintage, VINTAGES } from "./vintages.ts";

const SUITE = `${ROOT}tests/support/debian-suite`;
/** Making a suite takes two minutes at most, the slowest row's tests three; a busy machine needs several times that. */
const INSTALL_SECONDS = 600;
const TEST_SECONDS = 600;
const BUDGET_SECONDS = 1800;
const LATE: Attempt = {
  result: { outcome: "missing", versions: [], detail: `not run, ${BUDGET_SECONDS} s were up` },
  output: "",
};

if (import.meta.main) {
  const words = Deno.args;
  const rows = VINTAGES.filter((row) =>
    words.length === 0 || words.some((word) => nameOf(row).includes(word))
  );
  const results: Record<string, Result> = {};
  const count = { passed: 0, failed: 0, missing: 0 };
  for (const row of rows) {
    const startedMs = performance.now();
    const isLate = startedMs > BUDGET_SECONDS * 1000;
    const first = isLate ? LATE : await tryRow(row);
    // Podman 4.3 was seen to hang as it started; what fails twice is no accident.
    const { result, output } = first.result.outcome === "failed" ? asSecond(await tryRow(row)) : first;
    const seconds = Math.round((performance.now() - startedMs) / 1000);
    results[nameOf(row)] = result;
    count[result.outcome]++;
    print(
      `${result.outcome}: ${nameOf(row)} (${result.versions.join(", ")}): ${result.detail} (${seconds} s)`,
    );
    if (result.outcome === "failed") print(output);
  }
  if (!Deno.env.get("CI")) await writeResults({ ...readResults(), ...results });
  const missing = count.missing > 0 ? `, ${count.missing} not to be had or not tried` : "";
  print(`vintages: ${count.passed} passed, ${count.failed} failed${missing}`);
  Deno.exit(count.failed === 0 && count.passed > 0 ? 0 : 1);
}

interface Attempt {
  readonly result: Result;
  readonly output: string;
}

async function tryRow(row: Vintage): Promise<Attempt> {
  const { suite, parts, packages = [], where = "in", tests, filter, env = {} } = row;
  if (row.byHand && Deno.env.get("CI")) {
    return {
      result: { outcome: "missing", versions: [], detail: `by hand only: ${row.byHand}` },
      output: "",
    };
  }
  const up = await run([SUITE, "up", suite, ...parts, ...packages], INSTALL_SECONDS);
  if (up.code !== 0) {
    const detail = `not to be had: ${up.output.trim().split("\n").at(-1) ?? ""}`;
    return { result: { outcome: "missing", versions: [], detail }, output: up.output };
  }
  const root = up.output.trim();
  const versions = await Promise.all(parts.map((part) => versionOf(root, part)));
  const isIn = where === "in";
  const folder = root.slice(0, root.lastIndexOf("/"));
  const words = [
    ...(isIn ? [SUITE, "run", suite, "/srv/deno"] : [Deno.execPath()]),
    ...["test", ...packageFlags("tests"), "--no-prompt", "-A"],
    ...(filter ? [`--filter=${filter}`] : []),
    ...tests,
  ];
  const { code, output } = await run(words, TEST_SECONDS, {
    CI: "true",
    NO_COLOR: "1",
    ...(isIn
      ? {
        SUITE_DENO: Deno.execPath(),
        SUITE_DENO_DIR: await denoDir(),
        DENO_DIR: "/srv/deno_dir",
        PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      }
      : { DEBIAN_SUITES: folder, NVML_LIBRARIES: folder }),
    ...env,
  });
  // Deno's own summary: "ok | 44 passed (3 steps) | 0 failed | 1 ignored (882ms)".
  const summary = /^(?:ok|FAILED) \| .*$/m.exec(output)?.[0] ?? "";
  const [passed = 0, failed = 0, ignored = 0] = ["passed", "failed", "ignored"].map((word) =>
    Number(new RegExp(`(\\d+) ${word}`).exec(summary)?.[1] ?? 0)
  );
  const isGood = code === 0 && passed > 0 && failed === 0 && ignored === 0;
  const detail = isGood
    ? `${passed} tests`
    : code === 124
    ? `still at work after ${TEST_SECONDS} s`
    : "failed";
  return { result: { outcome: isGood ? "passed" : "failed", versions, detail }, output };
}

/** Does not hide that the first attempt failed. */
function asSecond({ result, output }: Attempt): Attempt {
  return { result: { ...result, detail: `${result.detail}, at the second attempt` }, output };
}

/** The version of a package, as its own project counts. */
async function versionOf(root: string, name: string): Promise<string> {
  const query = ["dpkg-query", `--admindir=${root}/var/lib/dpkg`, "--show", "--showformat=${Version}", name];
  const { output } = await run(query, 10);
  return `${name} ${output.replace(/^\d+:/, "").replace(/[-+~].*/s, "")}`;
}

async function denoDir(): Promise<string> {
  return JSON.parse((await run([Deno.execPath(), "info", "--json"], 60)).output).denoDir;
}

/** Runs a command to its end, or ends it with what it started. */
async function run(
  words: readonly string[],
  seconds: number,
  env: Record<string, string> = {},
): Promise<{ code: number; output: string }> {
  const { code, stdout, stderr } = await new Deno.Command("timeout", {
    args: ["--kill-after=10", String(seconds), ...words],
    cwd: ROOT,
    env,
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, output: decoder.decode(stdout) + decoder.decode(stderr) };
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
