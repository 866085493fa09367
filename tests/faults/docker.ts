/**
 * Faults of the Docker Engine and its containers.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { simulatedContainer } from "../../simulation/simulated_container.ts";
import { DockerRig, OTHER } from "../support/rigs/docker.ts";
import { valueIn } from "../support/rigs/rig.ts";
import { anyFaults } from "./any.ts";
import { type FaultSet, WITHOUT_OVERRIDE } from "./fault.ts";

const FLOOD_CONTAINERS = 500;
const FLOOD_EVENTS = 3_000;

/** What can go wrong for the docker exporter. */
export const DOCKER_FAULTS: FaultSet<DockerRig> = {
  exporter: "docker",
  create: DockerRig.create,
  impossible: {},
  faults: [
    {
      kind: "permission",
      what: "the engine is restarted, and its socket is closed to the exporter",
      values: "withheld",
      reason: "permission",
      health: "usermod",
      ...WITHOUT_OVERRIDE,
      inject: async (rig) => {
        await rig.restart();
        rig.chmod(0);
      },
      heal: (rig) => rig.chmod(0o666),
    },
    {
      kind: "permission",
      what: "a socket proxy refuses every request",
      values: "withheld",
      reason: "refused",
      health: "let it pass GET on /version, /containers",
      inject: (rig) => rig.fail("forbidden"),
      heal: (rig) => rig.fail(undefined),
    },
    {
      kind: "missing",
      what: "there is no engine at the start",
      values: "withheld",
      reason: "missing",
      health: "systemctl start docker",
      fromStart: true,
      inject: () => {},
      heal: (rig) => rig.show(),
    },
    {
      kind: "missing",
      what: "the engine is stopped",
      values: "withheld",
      reason: "missing",
      health: "systemctl start docker",
      inject: (rig) => rig.hide(),
      heal: (rig) => rig.show(),
    },
    {
      kind: "vanishing",
      what: "a container is removed",
      once: true,
      values: "goes on",
      metrics: "its series are gone",
      inject: (rig) => void rig.engine.containers.delete(rig.container(OTHER).id),
      check: (page) => {
        const labels = { name: OTHER };
        assertEquals(valueIn(page, { name: "docker_container_memory_usage_bytes", labels }), undefined);
        assertEquals(valueIn(page, { name: "docker_container_info", labels }), undefined);
      },
      heal: () => {},
    },
    {
      kind: "hanging",
      what: "the engine takes requests and does not answer",
      values: "withheld",
      reason: "timeout",
      health: "journalctl -u docker",
      inject: (rig) => rig.fail("hang"),
      heal: async (rig) => {
        rig.fail(undefined);
        await rig.restart();
      },
    },
    {
      kind: "lying",
      what: "something else answers on the socket, in HTML",
      values: "withheld",
      reason: "invalid",
      health: "Cannot understand the answer",
      inject: (rig) => rig.fail("nonsense"),
      heal: (rig) => rig.fail(undefined),
    },
    {
      kind: "lying",
      what: "a proxy redirects every request",
      values: "withheld",
      reason: "refused",
      health: "it answers 301, a redirect",
      inject: (rig) => rig.fail("redirect"),
      heal: (rig) => rig.fail(undefined),
    },
    {
      kind: "flooding",
      what: "the engine's answers have no end",
      values: "withheld",
      reason: "invalid",
      health: "answers larger than 16 MiB",
      inject: (rig) => rig.fail("endless"),
      heal: (rig) => rig.fail(undefined),
    },
    {
      kind: "lying",
      what: "the engine fails at the statistics of containers",
      values: "withheld",
      up: 1,
      reason: "refused",
      health: "it answers 500",
      metrics: "the containers' states go on",
      inject: (rig) => rig.fail("error", /\/stats$/),
      check: (page) =>
        assertEquals(
          valueIn(page, { name: "docker_container_state", labels: { name: OTHER, state: "running" } }),
          1,
        ),
      heal: (rig) => rig.fail(undefined),
    },
    {
      kind: "restarting",
      what: "the engine is restarted",
      values: "goes on",
      inject: (rig) => rig.restart(),
      heal: () => {},
    },
    {
      kind: "flooding",
      once: true,
      what: `${FLOOD_CONTAINERS} containers and ${FLOOD_EVENTS} events at once`,
      values: "goes on",
      inject: (rig) => {
        const first = simulatedContainer(1000);
        rig.engine.add(
          ...Array.from({ length: FLOOD_CONTAINERS }, (_, index) => simulatedContainer(1000 + index)),
        );
        for (let index = 0; index < FLOOD_EVENTS; index++) {
          rig.engine.emit(first, index % 2 ? "die" : "start");
        }
      },
      check: (page) => {
        const count = page.families.get("docker_container_info")?.samples.length ?? 0;
        assertEquals(count, FLOOD_CONTAINERS + 2);
        assert((valueIn(page, { name: "docker_container_events_total" }) ?? 0) > 0);
      },
      heal: (rig) => {
        for (const { id, name } of [...rig.engine.containers.values()]) {
          if (name.startsWith("container-")) rig.engine.containers.delete(id);
        }
      },
    },
    {
      kind: "disconnecting",
      what: "the engine breaks every answer off in the middle",
      values: "withheld",
      reason: "invalid",
      health: "breaks off in the middle",
      inject: (rig) => rig.fail("cut"),
      heal: (rig) => rig.fail(undefined),
    },
    ...anyFaults<DockerRig>({
      noDescriptors: { values: "withheld", reason: "connection", health: "EMFILE" },
      reopen: (rig) => rig.restart(),
    }),
  ],
};
