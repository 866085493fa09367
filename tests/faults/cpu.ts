/**
 * Faults of the powercap tree.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { CpuRig, PACKAGE_0, PACKAGE_1 } from "../support/rigs/cpu.ts";
import { valueIn } from "../support/rigs/rig.ts";
import { anyFaults } from "./any.ts";
import { type FaultSet, WITHOUT_OVERRIDE } from "./fault.ts";

/** What can happen to the CPU exporter. */
export const CPU_FAULTS: FaultSet<CpuRig> = {
  exporter: "cpu",
  create: CpuRig.create,
  impossible: { hanging: "the kernel answers reads of these files from memory" },
  faults: [
    {
      kind: "permission",
      what: "every energy counter is root's alone, and the exporter may not override that",
      values: "withheld",
      reason: "permission",
      health: "CAP_DAC_READ_SEARCH",
      ...WITHOUT_OVERRIDE,
      inject: (rig) => rig.chmod(0),
      heal: (rig) => rig.chmod(0o444),
    },
    {
      kind: "missing",
      what: "there is no powercap tree at the start",
      values: "withheld",
      reason: "missing",
      health: "mount --bind",
      fromStart: true,
      inject: () => {},
      heal: (rig) => rig.show(),
    },
    {
      kind: "missing",
      what: "the powercap tree is unmounted",
      values: "withheld",
      reason: "missing",
      health: "mount --bind",
      inject: (rig) => rig.hide(),
      heal: (rig) => rig.show(),
    },
    {
      kind: "vanishing",
      what: "one of two packages goes offline",
      values: "goes on",
      reason: "gone",
      health: "is gone",
      metrics: "the other package goes on, the node's totals are withheld",
      inject: (rig) => rig.tree.remove(PACKAGE_1),
      check: (page) => {
        const labels = { path: PACKAGE_1 };
        assertEquals(valueIn(page, { name: "rapl_energy_joules_total", labels }), undefined);
        assertEquals(valueIn(page, { name: "rapl_node_energy_joules_total" }), undefined);
      },
      heal: (rig) => {
        rig.add(PACKAGE_1);
        rig.add(`${PACKAGE_1}/intel-rapl:1:0`);
      },
    },
    {
      kind: "vanishing",
      what: "the driver of all zones is unloaded",
      values: "withheld",
      reason: "gone",
      health: "systemctl restart cpu-exporter",
      inject: (rig) => rig.tree.remove("intel-rapl"),
      heal: (rig) => rig.paths.forEach((path) => rig.add(path)),
    },
    {
      kind: "lying",
      what: "the counters hold text, nothing, a negative number",
      values: "withheld",
      reason: "invalid",
      health: "whole number of microjoules",
      inject: (rig) => {
        rig.setAll("banana");
        rig.tree.setEnergy(PACKAGE_1, "-17");
      },
      heal: (rig) => rig.restoreAll(),
    },
    {
      kind: "lying",
      what: "a counter leaps by more than the package can draw",
      once: true,
      values: "goes on",
      metrics: "the leap is not counted, `rapl_samples_rejected_total` is",
      inject: (rig) => rig.setEnergy(PACKAGE_0, 99_000_000_000n),
      check: (page, { canary: { labels = {} } }) => {
        const reason = "implausible";
        assertEquals(
          valueIn(page, { name: "rapl_samples_rejected_total", labels: { ...labels, reason } }),
          1,
        );
        assertEquals(Math.floor(valueIn(page, { name: "rapl_energy_joules_total", labels }) ?? NaN), 1);
      },
      heal: () => {},
    },
    {
      kind: "restarting",
      what: "the driver is loaded again, its counters begin at 0",
      values: "goes on",
      metrics: "the counters go on from where they were",
      inject: (rig) => rig.reload(),
      check: (page, { canary }) => assertEquals(Math.floor(valueIn(page, canary) ?? NaN), 1),
      heal: () => {},
    },
    ...anyFaults({
      noDescriptors: {
        values: "withheld",
        reason: "invalid",
        health: "Too many open files",
      },
    }),
  ],
};
