/**
 * Stands in for many ffmpeg processes: open chunked POSTs, or progress files, that report twice a second.
 *
 * @module
 */

const ENCODER = new TextEncoder();
const PERIOD_MS = 500;

/** One report as `-progress` writes it, with about as many bytes as a real one. */
export function block(frame: number, end = false): string {
  const us = frame * 40_000;
  return `frame=${frame}\nfps=25.00\nstream_0_0_q=28.0\nbitrate= 800.0kbits/s\ntotal_size=${frame * 4000}\n` +
    `out_time_us=${us}\nout_time_ms=${us}\nout_time=00:00:00.000000\ndup_frames=0\ndrop_frames=0\nspeed=1.00x\n` +
    `progress=${end ? "end" : "continue"}\n`;
}

function chunk(text: string): Uint8Array {
  return ENCODER.encode(`${text.length.toString(16)}\r\n${text}\r\n`);
}

/** Takes reports of many jobs somewhere. */
export interface Sink extends AsyncDisposable {
  /** Reports once for each job. */
  send(frame: number, end?: boolean): Promise<void>;
}

async function writeAll(connection: Deno.Conn, data: Uint8Array): Promise<void> {
  while (data.length > 0) data = data.subarray(await connection.write(data));
}

/** Opens a POST for each job; their ids begin with the prefix. */
export async function openPosts(
  port: number,
  jobs: number,
  { prefix = "job", path = "/progress" }: { prefix?: string; path?: string } = {},
): Promise<Sink> {
  const connections: Deno.TcpConn[] = [];
  for (let index = 0; index < jobs; index++) {
    // Of connections that have not asked for anything yet, the exporter holds 256 of one client.
    if (index % 100 === 99) await new Promise((resolve) => setTimeout(resolve, 100));
    const connection = await Deno.connect({ port });
    connection.setNoDelay();
    connections.push(connection);
    const query = `job_id=${prefix}-${index}&encoder=libx264&width=1280&height=720&duration=3600`;
    await writeAll(
      connection,
      ENCODER.encode(
        `POST ${path}?${query} HTTP/1.1\r\nTransfer-Encoding: chunked\r\nUser-Agent: Lavf/59.27.100\r\n` +
          `Accept: */*\r\nConnection: close\r\nHost: 127.0.0.1:${port}\r\nIcy-MetaData: 1\r\n\r\n`,
      ),
    );
  }
  return {
    async send(frame, end = false): Promise<void> {
      const data = chunk(block(frame, end));
      for (const connection of connections) await writeAll(connection, data);
    },
    [Symbol.asyncDispose](): Promise<void> {
      for (const connection of connections) connection.close();
      return Promise.resolve();
    },
  };
}

/** Opens a progress file for each job. */
export function openFiles(folder: string, jobs: number): Sink {
  const files = Array.from(
    { length: jobs },
    (_, index) =>
      Deno.openSync(`${folder}/job-${index}?encoder=libx264&width=1280&height=720`, {
        write: true,
        create: true,
        truncate: true,
      }),
  );
  return {
    send(frame, end = false): Promise<void> {
      const data = ENCODER.encode(block(frame, end));
      for (const file of files) file.writeSync(data);
      return Promise.resolve();
    },
    [Symbol.asyncDispose](): Promise<void> {
      for (const file of files) file.close();
      return Promise.resolve();
    },
  };
}

/** Reports for a while, twice a second. */
export async function report(sink: Sink, seconds: number, from = 0): Promise<number> {
  let frame = from;
  let nextMs = performance.now();
  for (let round = 0; round < seconds * 2; round++) {
    await sink.send(frame += 12);
    nextMs += PERIOD_MS;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, nextMs - performance.now())));
  }
  return frame;
}
