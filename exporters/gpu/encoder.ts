/**
 * NVENC: how many sessions a GPU encodes, and how fast each is.
 *
 * @see https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceQueries.html
 * @module
 */
import type { GpuSamples } from "./gpu_samples.ts";
import { METRICS } from "./metrics.ts";
import type { NvmlDevice } from "./nvml_device.ts";
import { AT_START_4, STRUCTS } from "./nvml_structs.ts";
import { CODECS } from "./plain_values.ts";
import type { RecordList } from "./record_list.ts";

/** Adds the sessions together and one by one. */
export async function readEncoder(
  device: NvmlDevice,
  records: RecordList,
  samples: GpuSamples,
): Promise<void> {
  // The averages are meaningless without sessions.
  const stats = await device.ask("nvmlDeviceGetEncoderStats")
    ? device.out.map((result) => result.u32(AT_START_4))
    : undefined;
  const [count, fps, latency] = stats ?? [];
  const listed = count === 0 ? 0 : await readSessions(device, records, samples);
  samples.add(METRICS.encoderSessions, count ?? listed);
  if (!count) return;
  samples.add(METRICS.encoderFps, fps);
  samples.add(METRICS.encoderLatency, latency, { unit: "us" });
}

/** Adds each session; returns how many there are, undefined where there is no list. */
async function readSessions(
  device: NvmlDevice,
  records: RecordList,
  samples: GpuSamples,
): Promise<number | undefined> {
  const name = "nvmlDeviceGetEncoderSessions";
  const count = await records.fill(name, (count, list) => device.code(name, device.handle, count, list));
  if (count === undefined) return undefined;
  const { size, members: m } = STRUCTS.nvmlEncoderSessionInfo_t;
  const { list } = records;
  const sessions = Array.from({ length: count }, (_, index) => index * size)
    .map((at) => ({ at, id: list.u32(m.sessionId, at), pid: list.u32(m.pid, at) }))
    .sort((left, right) => left.id - right.id || left.pid - right.pid);
  // No two series may be the same.
  const distinct = new Map(sessions.map((session) => [`${session.id} ${session.pid}`, session]));
  for (const { at, id, pid } of distinct.values()) {
    const labels = {
      session: String(id),
      pid: String(pid),
      codec: CODECS[list.u32(m.codecType, at)] ?? "unknown",
      width: String(list.u32(m.hResolution, at)),
      height: String(list.u32(m.vResolution, at)),
    };
    samples.add(METRICS.sessionFps, list.u32(m.averageFps, at), { labels });
    samples.add(METRICS.sessionLatency, list.u32(m.averageLatency, at), { labels, unit: "us" });
  }
  return distinct.size;
}
