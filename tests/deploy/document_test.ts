/** Runs the commands of DEPLOYMENT.md that can run unattended, in a network of their own. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { runScript, testedBlocks } from "../support/document.ts";
import { fetchForCompiling, testCompiled } from "../support/compiled.ts";
import { needs } from "../support/programs.ts";

const DOCUMENT = "DEPLOYMENT.md";

/** The document's ports are real ones: it gets a network where nobody else uses them. */
const PRIVATE_NETWORK = ["unshare", ...(Deno.uid() === 0 ? [] : ["--map-root-user"]), "--net"];

async function runBlock(script: string): Promise<string> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.symlink(Deno.execPath(), `${folder}/deno`);
    const env = { PATH: `${folder}:${Deno.env.get("PATH")}:/usr/sbin:/sbin` };
    return await runScript(script, { prefix: PRIVATE_NETWORK, prologue: "ip link set lo up", env });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

for (const [index, script] of testedBlocks(DOCUMENT, "").entries()) {
  Deno.test({
    name: `DEPLOYMENT.md, block ${index + 1} for any machine, works as it is written`,
    ...needs("unshare", "ip", "curl", "openssl"),
    fn: async () => {
      await runBlock(script);
    },
  });
}

testCompiled("DEPLOYMENT.md: what is compiled works as it is written", async (t) => {
  const blocks = testedBlocks(DOCUMENT, "compiled");
  assertEquals(blocks.length >= 3, true);
  await fetchForCompiling();
  const outputs: string[] = [];
  for (const [index, script] of blocks.entries()) {
    await t.step(`block ${index + 1}`, async () => {
      outputs.push(await runBlock(script));
    });
  }
  assertStringIncludes(outputs[0] ?? "", "worker-exporters: OK");
});

Deno.test({
  name: "DEPLOYMENT.md: the firewall lets the master in and nobody else",
  ...needs("unshare", "ip", "nft"),
  fn: async () => {
    const [script = ""] = testedBlocks(DOCUMENT, "firewall");
    assertStringIncludes(await runBlock(script), "dport { 9501, 9506, 9510, 9511 }");
  },
});
