/**
 * Asks handlers without a connection, in the terms of fetch, and serves them on one.
 *
 * @module
 */
import type { HttpHandler, HttpRequest, HttpResponse } from "../../lib/http/message.ts";
import { HttpServer, type HttpServerOptions } from "../../lib/http/server.ts";

/** A request as the server makes it of what fetch would send. */
export function toHttpRequest(request: Request, client = "127.0.0.1", local = "127.0.0.1"): HttpRequest {
  const { pathname, search, host } = new URL(request.url);
  return {
    method: request.method,
    path: pathname,
    query: search.slice(1),
    headers: new Map([["host", host], ...request.headers]),
    client,
    local,
    async readBody(onChunk): Promise<boolean> {
      try {
        for await (const chunk of request.body ?? []) await onChunk(chunk);
        return true;
      } catch {
        return false;
      }
    },
  };
}

/** An answer as fetch gets it. */
export function toResponse({ status, headers, body }: HttpResponse): Response {
  return new Response(body.length > 0 ? body : null, { status, headers });
}

/** Asks a handler for a path. */
export function fetcher(handler: HttpHandler): (path: string, init?: RequestInit) => Promise<Response> {
  return async (path, init) =>
    toResponse(await handler(toHttpRequest(new Request(`http://127.0.0.1:9510${path}`, init))));
}

/** A server of this process; disposing of it ends it. */
export interface TestServer extends AsyncDisposable {
  readonly server: HttpServer;
  readonly port: number;
  readonly url: string;
}

/** Serves a handler on a free port of this machine. */
export function serveHandler(handler: HttpHandler, options: Partial<HttpServerOptions> = {}): TestServer {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const server = new HttpServer([listener], {
    onError: (error) => {
      throw error;
    },
    ...options,
  });
  server.serve(handler);
  const { port } = listener.addr;
  return { server, port, url: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: () => server.shutdown() };
}
