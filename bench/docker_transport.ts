/**
 * Reads the statistics of all running containers through dockerode, one way or the other:
 * `docker_transport.ts SOCKET one-shot|streams SECONDS`. Prints `{"samples":N}`.
 *
 * `one-shot` asks for each container every five seconds, `streams` keeps the engine's streams open, which
 * bring a sample of each container every second.
 *
 * @module
 */
import "../exporters/docker/leave_out.ts";
// @ts-types="../exporters/docker/dockerode.d.ts"
import Docker from "dockerode";
import { DockerApi } from "../exporters/docker/docker_api.ts";

const INTERVAL_MS = 5000;

const [socketPath = "", way = "", seconds = "0"] = Deno.args;
const api = new DockerApi({ host: { name: "bench", socketPath }, timeoutMs: 10_000, concurrency: 1000 });
await api.negotiate();
const ids = (await api.list()).map((entry) => (entry as { Id: string }).Id);
let samples = 0;

if (way === "streams") {
  const docker = new Docker({ socketPath, version: "v1.41" });
  for (const id of ids) {
    const options = { stream: true } as unknown as { stream: false; "one-shot": true };
    const stream = await docker.getContainer(id).stats(options) as AsyncIterable<Uint8Array>;
    follow(stream);
  }
} else {
  read();
  setInterval(read, INTERVAL_MS);
}
setTimeout(() => {
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify({ samples })}\n`));
  Deno.exit(0);
}, Number(seconds) * 1000);

async function follow(stream: AsyncIterable<Uint8Array>): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (JSON.parse(line)) samples++;
  }
}

async function read(): Promise<void> {
  await Promise.all(ids.map(async (id) => {
    if (await api.stats(id)) samples++;
  }));
}
