/**
 * A simulated engine in a process of its own: `docker_simulation.ts SOCKET CONTAINERS [CHURN]`.
 *
 * With a third argument so many containers come and as many go every second.
 *
 * @module
 */
import { simulatedContainer } from "../simulation/simulated_container.ts";
import { SimulatedEngine } from "../simulation/simulated_engine.ts";

const [socketPath = "", containers = "0", churn = "0"] = Deno.args;
const engine = new SimulatedEngine({ socketPath, cgroup: 2, apiVersion: "1.51" });
let count = 0;

function start(): void {
  const container = simulatedContainer(count++, { startedMs: Date.now() });
  engine.add(container);
  for (const action of ["create", "start"]) engine.emit(container, action);
}

function end(): void {
  for (const container of engine.containers.values()) {
    for (const action of ["die", "destroy"]) engine.emit(container, action, { exitCode: "0" });
    engine.containers.delete(container.id);
    return;
  }
}

for (let index = 0; index < Number(containers); index++) start();
engine.listen();
setInterval(() => {
  engine.requests.length = 0;
  for (let index = 0; index < Number(churn); index++) {
    start();
    end();
  }
}, 1000);
