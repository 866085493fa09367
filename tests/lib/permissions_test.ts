/** What an exporter may still do while it serves, however much it was granted. */
import { assertEquals } from "@std/assert";
import { startExporter } from "../support/exporter_process.ts";

const ASKED = [
  "read=/run/toy",
  "read=/run/toy/file",
  "read=/run",
  "read=/etc/passwd",
  "read=/srv/data",
  "write=/run/toy",
  "net=127.0.0.1:1",
  "net=10.0.0.5:80",
];

for (
  const granted of [
    ["--allow-read=/run/toy", "--allow-net=0.0.0.0"],
    ["--allow-read=/run/toy,/etc", "--allow-net=0.0.0.0,10.0.0.5"],
    ["--allow-read=/run", "--allow-write=/run/toy", "--allow-net=0.0.0.0/0"],
    ["--allow-read=/", "--allow-net"],
    ["--allow-read=/run/toy,/srv/data", "--allow-net"],
  ]
) {
  Deno.test(`Of ${granted.join(" ")} a serving exporter keeps the folder that it names`, async () => {
    await using exporter = await startExporter("toy", {
      script: "tests/support/probes/toy.ts",
      permissions: ["--no-prompt", ...granted],
      args: ["--more=/srv/data"],
    });
    const response = await fetch(`${exporter.url}/permissions?${ASKED.join("&")}`);
    const states: Record<string, Deno.PermissionState> = await response.json();
    const kept = Object.keys(states).filter((name) => states[name] === "granted");
    assertEquals(kept, ["read /run/toy", "read /run/toy/file"]);
  });
}
