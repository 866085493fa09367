/** The Debian package on machines of three suites: over an installation from the archive, upgraded, removed, alone. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { CATALOG } from "../../exporters/catalog.ts";
import { DockerEngine } from "../support/docker_engine.ts";
import { runScript } from "../support/document.ts";
import { assertAllWork, buildRelease } from "../support/release.ts";
import { SystemdBox, testOnBox } from "../support/systemd_box.ts";

/** `deno task test:vintages` names others. */
const SUITES = (Deno.env.get("PACKAGE_SUITES") ?? "bookworm").split(" ");
const UNITS = Object.values(CATALOG).map(({ artifact }) => `${artifact}.service`).join(" ");
const INSTALL = "DEBIAN_FRONTEND=noninteractive dpkg --install /root/worker-exporters_*.deb";
/** Everything of the package or the archive that is on the machine. */
const LEFT =
  `find /etc /usr /var/lib/systemd -xdev \\( -name '*worker-exporters*' -o -name '*-exporter*' \\)`;

testOnBox(
  "The package installs, takes over from the archive, upgrades and goes without a trace",
  async (t) => {
    await buildRelease();
    await using engine = await DockerEngine.start();
    await engine.run("job", "sleep 3600");
    for (const suite of SUITES) {
      await t.step(suite, async (t) => {
        await using box = await SystemdBox.boot(engine.socketPath, suite);
        await runScript(`cp dist/worker-exporters-*.tar.gz dist/worker-exporters_*.deb ${box.root}/root/`);

        await t.step("it takes over from the archive and keeps the settings", async () => {
          await box.run(`
          cd /root; tar xzf worker-exporters-*.tar.gz; worker-exporters-*/scripts/install
          sed -i 's/^CPU_EXPORTER_ARGS=/&--interval=500ms/' /etc/default/worker-exporters
          # As version 0.1.0 left it: each a program of its own.
          rm /usr/local/bin/gpu-exporter; cp /usr/local/bin/worker-exporters /usr/local/bin/gpu-exporter`);
          assertStringIncludes(await box.run(INSTALL), "Taking over");
          await assertAllWork();
          assertEquals(await box.run("ls /usr/local/bin /usr/local/lib | grep exporter || true"), "");
          assertStringIncludes(await box.run("cat /etc/default/worker-exporters"), "--interval=500ms");
        });

        await t.step("it upgrades and starts again after a reboot", async () => {
          await box.run(INSTALL);
          await assertAllWork();
          await box.reboot();
          await assertAllWork();
        });

        await t.step("units are as tight as the machine allows, and correct", async () => {
          assertEquals(await box.run(`cd /usr/lib/systemd/system; systemd-analyze verify ${UNITS}`), "");
          const gpu = await box.run(
            "systemd-analyze --no-pager --threshold=12 security gpu-exporter.service",
          );
          assertStringIncludes(gpu, "PrivateUsers=");
        });

        await t.step("removed, it leaves the settings, and purged nothing", async () => {
          await box.run("dpkg --remove worker-exporters");
          assertEquals(await box.run(`systemctl is-active ${UNITS} || true`), "inactive\n".repeat(4));
          assertEquals(
            await box.run(`${LEFT} ! -name '*.list' ! -name '*.post*'`),
            "/etc/default/worker-exporters\n",
          );
          await box.run("dpkg --purge worker-exporters");
          assertEquals(await box.run(LEFT), "");
        });

        await t.step("alone, it starts what the machine has use for", async () => {
          await box.run(INSTALL);
          await assertAllWork();
          await box.run("dpkg --purge worker-exporters");
        });
      });
    }
  },
);
