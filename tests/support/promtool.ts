/**
 * Prometheus' own linter.
 *
 * @module
 */

/** What `promtool check metrics` objects to in a page in the text format; nothing is good. */
export async function promtoolCheck(page: string): Promise<string> {
  const child = new Deno.Command("promtool", {
    args: ["check", "metrics"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(page));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const output = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  return code === 0 ? output : `${output}exit code ${code}`;
}
