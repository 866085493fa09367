/**
 * What strangers send: each attack runs as a process of its own against the port of an exporter, until it is told to
 * stop. `deno run attacks.ts NAME PORT`.
 *
 * @module
 */
import { connect as connectNode, type Socket } from "node:net";

const ENCODER = new TextEncoder();
const REQUEST = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
/** What the metrics page of an exporter is asked for with, apart from the attack's own headers. */
const request = (...headers: string[]): string =>
  `GET /metrics HTTP/1.1\r\nHost: x\r\n${headers.map((header) => `${header}\r\n`).join("")}\r\n`;

/** Where an attack goes. */
interface Target {
  readonly hostname: string;
  readonly port: number;
}

/** An attack. */
export interface Attack {
  readonly what: string;
  /** Word for what `/health` says while it goes on; undefined where it goes unnoticed. */
  readonly health?: RegExp;
  /** Attacks until the process is ended. */
  run(target: Target): Promise<void>;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A connection from one of many addresses of this machine; errors end it without a word. */
function connectFrom(index: number, { hostname, port }: Target): Socket {
  const localAddress = hostname === "127.0.0.1"
    ? `127.0.${1 + ((index >> 8) & 63)}.${1 + (index & 127)}`
    : undefined;
  return connectNode({ host: hostname, port, ...(localAddress ? { localAddress } : {}) }).on(
    "error",
    () => {},
  );
}

/** Opens connections, one each time, and holds up to `most`. */
async function hold(
  target: Target,
  { most, perSecond, onOpen }: { most: number; perSecond: number; onOpen?: (socket: Socket) => void },
): Promise<void> {
  const open: Socket[] = [];
  for (let index = 0;; index++) {
    const socket = connectFrom(index, target).pause();
    if (onOpen) socket.once("connect", () => onOpen(socket));
    open.push(socket);
    if (open.length > most) open.shift()?.destroy();
    if (index % Math.ceil(perSecond / 100) === 0) await pause(10);
  }
}

/** Sends the same again and again, with so many connections at once, and reads the answers. */
async function repeat(target: Target, at: number, text: () => string): Promise<void> {
  await Promise.all(Array.from({ length: at }, async () => {
    while (true) {
      try {
        using connection = await Deno.connect(target);
        await connection.write(ENCODER.encode(text()));
        await Promise.race([connection.read(new Uint8Array(65_536)), pause(1000)]);
      } catch {
        await pause(5);
      }
    }
  }));
}

/** Sends a head, and then the same piece without end. */
async function stream(target: Target, at: number, head: string, piece: Uint8Array): Promise<void> {
  await Promise.all(Array.from({ length: at }, async () => {
    while (true) {
      try {
        using connection = await Deno.connect(target);
        await connection.write(ENCODER.encode(head));
        while (true) await connection.write(piece);
      } catch {
        await pause(20);
      }
    }
  }));
}

const FRAME = {
  preface: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  /** SETTINGS_INITIAL_WINDOW_SIZE 0 */
  noWindow: [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0],
  /** HEADERS without END_HEADERS for GET /, then RST_STREAM or CONTINUATION. */
  headers: [0, 0, 3, 1, 1, 0, 0, 0, 1, 0x82, 0x84, 0x86],
  reset: [0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 8],
  continuation: [0, 0, 3, 9, 0, 0, 0, 0, 1, 0x82, 0x84, 0x86],
};

function frames(...bytes: number[][]): string {
  return FRAME.preface + String.fromCharCode(...FRAME.noWindow, ...bytes.flat());
}

/** All attacks, by name. */
export const ATTACKS: Readonly<Record<string, Attack>> = {
  reset: {
    what: "connections that are reset as soon as they are open, 500 a second",
    run: (target) =>
      hold(target, { most: 100, perSecond: 500, onOpen: (socket) => socket.resetAndDestroy() }),
  },
  silent: {
    what: "20,000 connections of 8,000 addresses that say nothing",
    health: /crowded|idle ones are closed/,
    // Silent ones are closed in turn: of 20,000 that were opened, a thousand are open.
    run: (target) => hold(target, { most: 19_000, perSecond: 1500 }),
  },
  half: {
    what: "2,000 connections with half a request",
    health: /crowded|idle ones are closed/,
    run: (target) =>
      hold(target, {
        most: 2000,
        perSecond: 1000,
        onOpen: (socket) => socket.write(REQUEST.slice(0, 20)),
      }),
  },
  slow: {
    what: "300 requests that come byte by byte",
    run: async (target) => {
      const open = Array.from({ length: 300 }, (_, index) => connectFrom(index, target));
      for (let at = 0;; at++) {
        for (const [index, socket] of open.entries()) {
          if (socket.destroyed) open[index] = connectFrom(index + at, target);
          else socket.write(REQUEST[at % REQUEST.length] ?? "");
        }
        await pause(100);
      }
    },
  },
  unread: {
    what: "answers that nobody reads, on 2,000 connections",
    run: (target) => hold(target, { most: 2000, perSecond: 500, onOpen: (socket) => socket.write(REQUEST) }),
  },
  "unread pipeline": {
    what: "a hundred requests sent ahead on each of 500 connections, and no answer read",
    run: (target) =>
      hold(target, {
        most: 500,
        perSecond: 200,
        onOpen: (socket) =>
          socket.write("GET /page.js HTTP/1.1\r\nHost: x\r\n\r\n".repeat(50) + REQUEST.repeat(50)),
      }),
  },
  http2: {
    what: "HTTP/2 with a window of 0, and streams that are reset at once",
    run: (target) =>
      repeat(
        target,
        20,
        () => frames(...Array.from({ length: 200 }, () => [...FRAME.headers, ...FRAME.reset])),
      ),
  },
  continuation: {
    what: "HTTP/2 with CONTINUATION frames without end",
    run: (target) =>
      stream(target, 10, frames(FRAME.headers), Uint8Array.from(Array(1000).fill(FRAME.continuation).flat())),
  },
  accept: {
    what: "Accept headers of quotes and commas, as long as may be",
    run: (target) =>
      repeat(target, 8, () => request(`Accept: "${'"",'.repeat(Math.random() < 0.5 ? 5000 : 21_000)}`)),
  },
  headers: {
    what: "heads of 60,000 header lines, or of one without end",
    run: async (target) => {
      await Promise.race([
        repeat(target, 4, () => request(...Array.from({ length: 60_000 }, () => "a:b"))),
        stream(target, 4, "GET /", ENCODER.encode("x".repeat(16_384))),
      ]);
    },
  },
  host: {
    what: "Hosts that are no names, of 60 KB and with a path",
    run: (target) =>
      repeat(
        target,
        8,
        () =>
          `GET /metrics HTTP/1.1\r\nHost: ${
            Math.random() < 0.5 ? `[${"A".repeat(60_000)}` : "x/health?"
          }\r\n\r\n`,
      ),
  },
  impatient: {
    what: "scrapes with a time-out of 100 ns",
    run: (target) => repeat(target, 8, () => request("X-Prometheus-Scrape-Timeout-Seconds: 0.0000001")),
  },
  bodies: {
    what: "bodies without end, to pages that take none",
    run: (target) =>
      stream(
        target,
        8,
        "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999\r\n\r\n",
        new Uint8Array(65_536),
      ),
  },
  chunks: {
    what: "reports of chunks of one byte, without end",
    run: (target) =>
      stream(
        target,
        8,
        "POST /progress?job_id=a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        ENCODER.encode("1\r\n\n\r\n".repeat(2000)),
      ),
  },
  garbage: {
    what: "bytes that are no HTTP",
    run: (target) =>
      repeat(target, 16, () => String.fromCharCode(...crypto.getRandomValues(new Uint8Array(2000)))),
  },
  steady: {
    what: "50 whole scrapes a second",
    run: async (target) => {
      while (true) {
        const scrape = async (): Promise<void> => {
          using connection = await Deno.connect(target);
          await connection.write(ENCODER.encode(request("Connection: close")));
          await new Response(connection.readable).arrayBuffer();
        };
        scrape().catch(() => {});
        await pause(20);
      }
    },
  },
};

if (import.meta.main) {
  const [name = "", hostname = "127.0.0.1", port] = Deno.args;
  await ATTACKS[name]?.run({ hostname, port: Number(port) });
}
