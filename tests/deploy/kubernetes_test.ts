/** kubernetes/: a DaemonSet per exporter, as the API knows it, with no more rights than the exporter needs. */
import { assertEquals } from "@std/assert";
import { load } from "js-yaml";
import type { DaemonSet } from "kubernetes-types/apps/v1";
import { CATALOG, type ExporterName } from "../../exporters/catalog.ts";
import { packageFlags } from "../../scripts/package_flags.ts";
import { ROOT } from "../support/exporter_process.ts";

const NAMES = Object.keys(CATALOG) as ExporterName[];

function daemonSetOf(name: ExporterName): DaemonSet {
  return load(Deno.readTextFileSync(`${ROOT}kubernetes/${name}.yaml`)) as DaemonSet;
}

Deno.test("kubernetes/ has what the API's types know, and nothing else", async () => {
  const module = await Deno.makeTempFile({ suffix: ".ts" });
  const constants = NAMES.map((name) =>
    `export const ${name}: DaemonSet = ${JSON.stringify(daemonSetOf(name))};`
  );
  await Deno.writeTextFile(
    module,
    `import type { DaemonSet } from "kubernetes-types/apps/v1";\n${constants.join("\n")}\n`,
  );
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["check", "--quiet", ...packageFlags("tests"), module],
    cwd: ROOT,
  }).output();
  await Deno.remove(module);
  assertEquals(success, true, new TextDecoder().decode(stderr));
});

/** What each mounts of the node: path there, path inside, read-only or not. */
const MOUNTS: Readonly<Record<ExporterName, readonly (readonly [string, string, boolean])[]>> = {
  cpu: [["/sys/devices/virtual/powercap", "/run/powercap", true]],
  gpu: [],
  ffmpeg: [["/run/ffmpeg-progress", "/run/ffmpeg-progress", true], ["/proc", "/run/host-proc", true]],
  docker: [["/var/run/docker.sock", "/var/run/docker.sock", false]],
};

for (const name of NAMES) {
  const { artifact, port } = CATALOG[name];
  Deno.test(`kubernetes/${name}.yaml: its port, its mounts, no capability, no privilege`, () => {
    const { metadata, spec } = daemonSetOf(name);
    const pod = spec?.template.spec;
    const [container, ...others] = pod?.containers ?? [];
    assertEquals([metadata?.name, others], [artifact, []]);
    assertEquals(spec?.selector.matchLabels, { "app.kubernetes.io/name": artifact });
    assertEquals(spec?.template.metadata?.labels, metadata?.labels);
    assertEquals([container?.image, container?.args?.[0]], ["worker-exporters", name]);
    assertEquals(container?.ports, [{ name: "metrics", containerPort: port, hostPort: port }]);
    assertEquals(container?.securityContext, {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    assertEquals([pod?.hostNetwork, pod?.hostIPC, pod?.hostPID === true], [
      undefined,
      undefined,
      name === "gpu",
    ]);
    assertEquals([pod?.securityContext?.runAsUser, pod?.automountServiceAccountToken], [
      name === "cpu" ? 0 : 65532,
      false,
    ]);
    const paths = new Map(pod?.volumes?.map((volume) => [volume.name, volume.hostPath?.path]));
    assertEquals(
      (container?.volumeMounts ?? []).map((mount) =>
        [paths.get(mount.name) ?? "", mount.mountPath, mount.readOnly === true] as const
      ),
      MOUNTS[name],
    );
  });
}
