/**
 * Answers a request of node:http with a fetch handler, the kind that `Deno.serve` takes.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from "node:http";

/** A handler for `Deno.serve`. */
export type FetchHandler = (
  request: Request,
  info: Deno.ServeHandlerInfo<Deno.NetAddr>,
) => Response | Promise<Response>;

/** Who answers. */
export interface AnswerOptions {
  readonly handler: FetchHandler;
  /** Answers where the handler fails. */
  readonly onError: (error: unknown) => Response;
  /** The client's address. @default that of the request's socket */
  readonly remoteAddr?: Deno.NetAddr;
}

/** Chunks of a body that wait to be read, some 64 KiB each at most. */
const MAX_CHUNKS = 4;

/** Answers a request. It never rejects: what goes wrong with a client ends its connection. */
export async function answer(
  message: IncomingMessage,
  response: ServerResponse,
  { handler, onError, remoteAddr = addressOf(message) }: AnswerOptions,
): Promise<void> {
  try {
    const gone = new AbortController();
    const completed = new Promise<void>((resolve) =>
      response.once("close", () => {
        if (!response.writableFinished) gone.abort();
        resolve();
      })
    );
    const request = toRequest(message, gone.signal);
    if (!request) {
      response.writeHead(400, { "content-type": "text/plain; charset=utf-8" }).end("Bad request\n");
      return;
    }
    const answered = await attempt(() => handler(request, { remoteAddr, completed }), onError);
    await send(answered, response, message.method === "HEAD");
  } catch {
    // The client has gone, or the answer's body failed half-way.
    message.socket.destroy();
  }
}

function addressOf({ socket: { remoteAddress = "", remotePort = 0 } }: IncomingMessage): Deno.NetAddr {
  return { transport: "tcp", hostname: remoteAddress, port: remotePort };
}

async function attempt(
  handle: () => Response | Promise<Response>,
  onError: (error: unknown) => Response,
): Promise<Response> {
  try {
    return await handle();
  } catch (error) {
    return onError(error);
  }
}

/** The request as fetch knows it; undefined for one that fetch cannot express, such as TRACE. */
function toRequest(message: IncomingMessage, signal: AbortSignal): Request | undefined {
  const { method = "GET", url = "/", rawHeaders } = message;
  try {
    const headers = new Headers();
    for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
      headers.append(rawHeaders[i] ?? "", rawHeaders[i + 1] ?? "");
    }
    const base = `https://${message.headers.host ?? "localhost"}`;
    const hasBody = method !== "GET" && method !== "HEAD";
    return new Request(new URL(url.startsWith("/") ? base + url : url), {
      method,
      headers,
      signal,
      body: hasBody ? bodyOf(message) : null,
    });
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/**
 * The body as a stream of bytes, as `Deno.serve` gives it. What came before a connection broke is read first, and then
 * the error comes: ffmpeg closes its connection right after its last report.
 */
function bodyOf(message: IncomingMessage): ReadableStream<Uint8Array<ArrayBuffer>> {
  let chunks: Uint8Array<ArrayBuffer>[] = [];
  let state: "open" | "ended" | "closed" = "open";
  let wake = (): void => {};
  const end = (how: "ended" | "closed") => (): void => {
    if (state === "open") state = how;
    wake();
  };
  message.on("data", (chunk: Uint8Array) => {
    chunks.push(Uint8Array.from(chunk));
    if (chunks.length >= MAX_CHUNKS) message.pause();
    wake();
  });
  message.once("end", end("ended")).once("close", end("closed")).on("error", end("closed"));
  return new ReadableStream({
    type: "bytes",
    async pull(controller: ReadableByteStreamController): Promise<void> {
      while (chunks.length === 0 && state === "open") {
        message.resume();
        await new Promise<void>((resolve) => wake = resolve);
      }
      const chunk = chunks.shift();
      if (chunk) return controller.enqueue(chunk);
      if (state === "closed") throw new Deno.errors.ConnectionReset("The connection ended before the body");
      controller.close();
      controller.byobRequest?.respond(0);
    },
    cancel(): void {
      message.removeAllListeners("data").resume();
      chunks = [];
    },
  });
}

/**
 * Sends an answer in one piece, which is how the exporters make them. With its length: of one in chunks, a client
 * that reads no further than the end of a gzip stream leaves the last chunk, and closes the connection.
 */
async function send(response: Response, to: ServerResponse, isHead: boolean): Promise<void> {
  const headers = [...response.headers].flat();
  if (!response.body || isHead) {
    await response.body?.cancel();
    to.writeHead(response.status, headers).end();
    return;
  }
  const body = new Uint8Array(await response.arrayBuffer());
  to.writeHead(response.status, [...headers, "content-length", String(body.length)]).end(body);
}
