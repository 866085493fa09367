/**
 * Takes reports over HTTP: `ffmpeg -progress 'http://HOST:9506/progress?job_id=…'` is one POST for the whole
 * encode, `… | curl -T - http://HOST:9506/ingest?job_id=…` one PUT.
 *
 * Whatever is wrong with a request, its body is read to the end first: an encode must not wait for us.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { STATUS_CODE } from "@std/http/status";
import type { Logger } from "../../lib/log.ts";
import { messageBody, type ReadBody, streamBody } from "./body_reader.ts";
import { type IpRange, isInRanges } from "./ip_range.ts";
import type { Job, JobVia } from "./job.ts";
import type { JobBoard, RejectReason } from "./job_board.ts";
import { cleanText, describeJob } from "./job_description.ts";
import { ProgressParser } from "./progress_parser.ts";

/** Refused requests that are read to their end at once; one more is answered without. */
export const MAX_REFUSED = 500;
/** Time between two log lines about the same kind of refusal, in milliseconds. */
const LOG_PERIOD_MS = 60_000;
const EXIT_PATH_REGEXP = /^\/jobs\/([^/]+)\/exit$/;
const EXIT_CODE_REGEXP = /^-?\d{1,10}$/;

const REFUSALS: Readonly<Record<RejectReason, { readonly status: number; readonly message: string }>> = {
  address: {
    status: STATUS_CODE.Forbidden,
    message: 'this address is not among those of "--ingest-from"',
  },
  busy: { status: STATUS_CODE.ServiceUnavailable, message: "too many refused requests are open" },
  duplicate: { status: STATUS_CODE.Conflict, message: "a job of the same job_id is running" },
  max_jobs: {
    status: STATUS_CODE.ServiceUnavailable,
    message: 'there are as many jobs as "--max-jobs" allows',
  },
};

/** Options of {@linkcode Ingest}. */
export interface IngestOptions {
  readonly board: JobBoard;
  /** Whose reports are taken. */
  readonly from: readonly IpRange[];
  readonly log: Logger;
  /** Called before an exit code is noted, to read what its job reported by other ways. */
  readonly beforeExit?: () => void;
}

/** Where a request comes from. */
export type ClientInfo = { readonly remoteAddr: Pick<Deno.NetAddr, "hostname"> };

/** A job that may report, or the reason why it may not. */
interface Admission {
  readonly id: string;
  readonly opened: Job | RejectReason;
}

/** Takes reports and exit codes over HTTP. */
export class Ingest {
  readonly #board: JobBoard;
  readonly #from: readonly IpRange[];
  readonly #log: Logger;
  readonly #beforeExit: () => void;
  readonly #loggedMs = new Map<RejectReason, number>();
  #open = 0;
  #refused = 0;

  /** Takes reports for one board. */
  constructor({ board, from, log, beforeExit = () => {} }: IngestOptions) {
    this.#board = board;
    this.#from = from;
    this.#log = log;
    this.#beforeExit = beforeExit;
  }

  /** Requests that bring reports and are open now. */
  get openConnections(): number {
    return this.#open;
  }

  /** Answers a request to one of the routes here; undefined for any other. */
  handle(request: Request, { remoteAddr }: ClientInfo): Response | Promise<Response> | undefined {
    const { pathname, searchParams } = new URL(request.url);
    const via = pathname === "/progress" ? "progress" : pathname === "/ingest" ? "ingest" : undefined;
    const exit = EXIT_PATH_REGEXP.exec(pathname);
    if (!via && !exit) return undefined;
    const methods = via ? ["POST", "PUT"] : ["POST"];
    if (!methods.includes(request.method)) {
      const headers = { allow: methods.join(", ") };
      return new Response("Method not allowed\n", { status: STATUS_CODE.MethodNotAllowed, headers });
    }
    const isAllowed = isInRanges(remoteAddr.hostname, this.#from);
    if (via) return this.#take(streamBody(request.body), this.#admit(via, searchParams, isAllowed));
    if (!isAllowed) return this.#answer(this.#board.reject("address"), remoteAddr.hostname);
    return this.#exit(exit?.[1] ?? "", searchParams.get("code") ?? "");
  }

  /** Takes a report from node:http, without the cost of a fetch request; false: not one. */
  accept(message: IncomingMessage, response: ServerResponse, remoteAddr: Deno.NetAddr): boolean {
    const { method, url = "" } = message;
    if (!url.startsWith("/progress?") || (method !== "POST" && method !== "PUT")) return false;
    const isAllowed = isInRanges(remoteAddr.hostname, this.#from);
    const admission = this.#admit("progress", new URLSearchParams(url.slice(url.indexOf("?"))), isAllowed);
    this.#take(messageBody(message), admission).then(async (answer) => {
      response.writeHead(answer.status).end(await answer.text());
    });
    return true;
  }

  /** Opens a job, or says why it is refused. */
  #admit(via: JobVia, parameters: URLSearchParams, isAllowed: boolean): Admission {
    const id = cleanText(parameters.get("job_id") ?? "") || this.#anonymousId();
    if (!isAllowed) return { id, opened: this.#board.reject("address") };
    const startedMs = this.#board.nowMs();
    return { id, opened: this.#board.open({ id, via, description: describeJob(parameters), startedMs }) };
  }

  /** Reads the body to its end. What it holds meanwhile it holds for each job: no parameters, no request. */
  async #take(read: ReadBody, { id, opened }: Admission): Promise<Response> {
    this.#open++;
    try {
      if (typeof opened === "string") return await this.#refuse(read, opened, id);
      await this.#read(read, opened);
      return new Response(null, { status: STATUS_CODE.NoContent });
    } finally {
      this.#open--;
    }
  }

  async #read(read: ReadBody, opened: Job): Promise<void> {
    let job = opened;
    const parser = new ProgressParser({
      onBlock: (block) => job = this.#board.report(job, block),
      onError: () => void this.#board.parseErrors++,
    });
    try {
      await read((chunk) => parser.push(chunk));
      parser.end();
    } finally {
      this.#board.close(job);
    }
  }

  async #refuse(read: ReadBody, reason: RejectReason, id: string): Promise<Response> {
    if (this.#refused >= MAX_REFUSED) return this.#answer("busy", id);
    this.#refused++;
    try {
      await read(() => {});
    } finally {
      this.#refused--;
    }
    return this.#answer(reason, id);
  }

  #answer(reason: RejectReason, who: string): Response {
    const { status, message } = REFUSALS[reason];
    const nowMs = this.#board.nowMs();
    if (nowMs - (this.#loggedMs.get(reason) ?? -Infinity) > LOG_PERIOD_MS) {
      this.#loggedMs.set(reason, nowMs);
      this.#log.warn(`Cannot take the reports of "${who}": ${message}`, { reason });
    }
    return new Response(`Refused: ${message}\n`, { status });
  }

  #exit(encodedId: string, code: string): Response {
    let id: string;
    try {
      id = cleanText(decodeURIComponent(encodedId));
    } catch {
      id = "";
    }
    if (id === "" || !EXIT_CODE_REGEXP.test(code)) {
      const status = STATUS_CODE.BadRequest;
      return new Response('Want "POST /jobs/ID/exit?code=N", with N the exit code\n', { status });
    }
    this.#beforeExit();
    this.#board.exit(id, Number(code));
    return new Response(null, { status: STATUS_CODE.NoContent });
  }

  /** A name for a job that gave none, as low as possible so that names come back. */
  #anonymousId(): string {
    let number = 1;
    while (this.#board.isLive(`anonymous-${number}`)) number++;
    return `anonymous-${number}`;
  }
}
