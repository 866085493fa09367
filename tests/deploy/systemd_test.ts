/** DEPLOYMENT.md on a worker: from an archive to running services by its own commands, and what they survive. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { CATALOG } from "../../exporters/catalog.ts";
import { compileAll } from "../../scripts/compile.ts";
import { DockerEngine } from "../support/docker_engine.ts";
import { runScript, testedBlocks } from "../support/document.ts";
import { eventually } from "../support/exporter_process.ts";
import { assertAllWork, buildRelease } from "../support/release.ts";
import { SystemdBox, testOnBox } from "../support/systemd_box.ts";

const DOCUMENT = "DEPLOYMENT.md";
const ROWS = Object.values(CATALOG);
const UNITS = ROWS.map(({ artifact }) => `${artifact}.service`);
const SUDO = 'sudo() { "$@"; }';

testOnBox("DEPLOYMENT.md leads from an archive to services that survive kill -9 and a reboot", async (t) => {
  await buildRelease();
  await using engine = await DockerEngine.start();
  await engine.run("job", "sleep 600");
  await using box = await SystemdBox.boot(engine.socketPath);
  await runScript(`cp dist/worker-exporters-*.tar.gz ${box.root}/root/`);

  await t.step("its commands install, check and upgrade", async () => {
    const output = await box.run([`set -x; cd; ${SUDO}`, ...testedBlocks(DOCUMENT, "worker")].join("\n"));
    for (const { artifact, port } of ROWS) {
      assertStringIncludes(output, `${artifact}: ok, http://127.0.0.1:${port}/metrics`);
    }
    await assertAllWork();
  });

  await t.step("the powercap tree was for root alone", async () => {
    const file = "/sys/devices/virtual/powercap/intel-rapl/intel-rapl:0/energy_uj";
    assertStringIncludes(await box.run(`stat -c '%a %U' ${file}`), "400 root");
    assertEquals(
      /^Uid:\s+0/m.test(await box.run("cat /proc/$(systemctl show -P MainPID cpu-exporter)/status")),
      false,
    );
  });

  await t.step("systemd finds no fault with the units", async () => {
    assertEquals(
      await box.run(`cd /etc/systemd/system; systemd-analyze verify ${UNITS.join(" ")} *.target`),
      "",
    );
  });

  await t.step("the limits hold while a hundred clients scrape without a pause", async () => {
    for (const { port } of ROWS) await scrapeHard(`http://127.0.0.1:${port}/metrics`);
    const properties = "--property=NRestarts,MemoryCurrent,MemoryMax";
    const output = await box.run(`systemctl show ${properties} ${UNITS.join(" ")}`);
    assertEquals(output.match(/^NRestarts=.*$/gm), ROWS.map(() => "NRestarts=0"));
    assertEquals(output.match(/^MemoryMax=.*$/gm), ROWS.map(() => `MemoryMax=${256 * 2 ** 20}`));
    for (const [, bytes] of output.matchAll(/^MemoryCurrent=(.*)$/gm)) {
      assertEquals(Number(bytes) < 200 * 2 ** 20, true, output);
    }
  });

  await t.step("kill -9 brings each back", async () => {
    await box.run(`systemctl kill --signal=KILL ${UNITS.join(" ")}`);
    await eventually(async () => {
      const restarts = await box.run(`systemctl show --property=NRestarts --value ${UNITS.join(" ")}`);
      assertEquals(restarts.trim().split(/\s+/), ROWS.map(() => "1"));
    }, 20_000);
    await assertAllWork();
  });

  await t.step("a reboot brings all back", async () => {
    await box.reboot();
    await assertAllWork();
  });

  await t.step("from inside of a service nothing gets out", async () => {
    const folder = `dist/test-${crypto.randomUUID()}`;
    const program = await compileAll({ folder, modules: { cpu: "tests/support/escape_program.ts" } });
    await runScript(`install -m 755 ${program} ${box.root}/usr/local/bin/escape; rm -r ${folder}`);
    await box.run("ln -sfn escape /usr/local/bin/cpu-exporter; systemctl restart cpu-exporter");
    const results = await eventually(async () => await (await fetch("http://127.0.0.1:9510/escape")).json());
    assertEquals(Object.values(results).filter((result) => result === "succeeded"), []);
  });

  await t.step("jit.conf lets V8 compile, and nothing else does", async () => {
    const folder = `dist/test-${crypto.randomUUID()}`;
    const program = await compileAll({ folder, jit: true });
    await runScript(`install -m 755 ${program} ${box.root}/usr/local/bin/jit; rm -r ${folder}`);
    await box.run(`
      ln -sfn jit /usr/local/bin/ffmpeg-exporter
      ! systemctl restart ffmpeg-exporter || sleep 1
      ! curl -fs http://127.0.0.1:9506/-/ready
      cd /root/worker-exporters-*/
      install -D -m 644 systemd/drop-ins/jit.conf /etc/systemd/system/ffmpeg-exporter.service.d/jit.conf
      systemctl daemon-reload; systemctl restart ffmpeg-exporter
      curl -fs --retry 9 --retry-all-errors --retry-delay 1 http://127.0.0.1:9506/-/ready
      rm /etc/systemd/system/ffmpeg-exporter.service.d/jit.conf
      ln -sfn worker-exporters /usr/local/bin/ffmpeg-exporter; ln -sfn worker-exporters /usr/local/bin/cpu-exporter`);
  });

  await t.step("the services can be run by Deno, with TLS and a password", async () => {
    await runScript(`cp ${Deno.execPath()} ${box.root}/usr/local/bin/deno`);
    await box.run(inRelease("worker-deno"));
    await assertAllWork();
    await runScript(testedBlocks(DOCUMENT, "")[1]?.split("deno task")[0] ?? "");
    await runScript(`rm -rf ${box.root}/root/web && cp -r dist/web ${box.root}/root/web`);
    await box.run(inRelease(
      "worker-tls",
      `
      mkdir -p dist/web; cp /root/web/* dist/web/
      sed -i 's,--allow-read=/run/powercap,&\\,/etc/worker-exporters,' /etc/systemd/system/cpu-exporter.service.d/deno-run.conf`,
    ));
  });

  await t.step("its last command removes everything", async () => {
    await box.run("rm -f /usr/local/bin/{deno,escape,jit}");
    const output = await box.run(inRelease("worker-end"));
    assertStringIncludes(output, "0 loaded units listed");
    assertEquals(await box.run("ls /usr/local/bin"), "");
  });
});

async function scrapeHard(url: string): Promise<void> {
  await Promise.all(Array.from({ length: 100 }, async () => {
    for (let scrape = 0; scrape < 10; scrape++) await (await fetch(url)).arrayBuffer();
  }));
}

/** A script of the document's blocks that carry a mark, for the folder of the unpacked archive. */
function inRelease(mark: string, before = ""): string {
  return [`set -x; cd /root/worker-exporters-*/; ${SUDO}; ${before}`, ...testedBlocks(DOCUMENT, mark)].join(
    "\n",
  );
}
