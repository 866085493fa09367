/**
 * Takes reports over HTTP: `ffmpeg -progress 'http://HOST:9506/progress?job_id=…'` is one POST for the whole
 * encode, `… | curl -T - http://HOST:9506/ingest?job_id=…` one PUT. `POST /jobs/ID/exit?code=N` brings exit codes.
 *
 * Whatever is wrong with a request, its body is read to the end first: an encode must not wait for us.
 *
 * @module
 */
import type { BlockList } from "node:net";
import { STATUS_CODE } from "@std/http/status";
import type { Logger } from "../../lib/log.ts";
import { refuseSender, type Sender } from "./admission.ts";
import { type Body, readBody } from "./body_reader.ts";
import { type Intake, type RejectReason, ReportStream } from "./intake.ts";
import type { Job, JobVia } from "./job.ts";
import { cleanText, describeJob } from "./job_description.ts";

/** Refused requests that are read to their end at once; one more is answered without. */
export const MAX_REFUSED = 500;
/** Time between two log lines about the same kind of refusal, in milliseconds. */
const LOG_PERIOD_MS = 60_000;
const EXIT_PATH_REGEXP = /^\/jobs\/([^/]+)\/exit$/;
const EXIT_CODE_REGEXP = /^-?\d{1,10}$/;
const VIAS: Readonly<Record<string, JobVia>> = { "/progress": "progress", "/ingest": "ingest" };

const REFUSALS: Readonly<Record<RejectReason, { readonly status: number; readonly message: string }>> = {
  address: {
    status: STATUS_CODE.Forbidden,
    message: 'this address is not among those of "--ingest-from"',
  },
  busy: { status: STATUS_CODE.ServiceUnavailable, message: "too many refused requests are open" },
  cross_site: { status: STATUS_CODE.Forbidden, message: "a web page sent it, and only programs may report" },
  duplicate: { status: STATUS_CODE.Conflict, message: "a job of the same job_id is running" },
  max_jobs: {
    status: STATUS_CODE.ServiceUnavailable,
    message: 'there are as many jobs as "--max-jobs" allows',
  },
};

/** Options of {@linkcode Ingest}. */
export interface IngestOptions {
  readonly intake: Intake;
  /** Whose reports are taken. */
  readonly from: BlockList;
  readonly log: Logger;
  /** Called before an exit code is noted, to read what its job reported by other ways. */
  readonly beforeExit?: (id: string) => void;
}

/** What is read of a request; those of fetch have it. */
export interface IngestRequest {
  readonly method: string;
  /** Absolute. */
  readonly url: string;
  readonly headers: Sender["headers"];
  readonly body: Body | null;
}

/** The two ends of its connection. */
export interface ClientInfo {
  readonly remoteAddr: Pick<Deno.NetAddr, "hostname">;
  readonly localAddr?: Pick<Deno.NetAddr, "hostname">;
}

/** Takes reports and exit codes over HTTP. */
export class Ingest {
  readonly #intake: Intake;
  readonly #from: BlockList;
  readonly #log: Logger;
  readonly #beforeExit: (id: string) => void;
  readonly #loggedMs = new Map<RejectReason, number>();
  #open = 0;
  #refused = 0;

  /** Takes reports for one board. */
  constructor({ intake, from, log, beforeExit = () => {} }: IngestOptions) {
    this.#intake = intake;
    this.#from = from;
    this.#log = log;
    this.#beforeExit = beforeExit;
  }

  /** Requests that bring reports and are open now. */
  get openConnections(): number {
    return this.#open;
  }

  /** Answers a request to one of the routes here; undefined for any other. */
  handle(
    { method, url, headers, body }: IngestRequest,
    { remoteAddr, localAddr }: ClientInfo,
  ): Response | Promise<Response> | undefined {
    const { pathname, searchParams } = new URL(url);
    const via = Object.hasOwn(VIAS, pathname) ? VIAS[pathname] : undefined;
    const exit = EXIT_PATH_REGEXP.exec(pathname);
    if (!via && !exit) return undefined;
    const methods = via ? ["POST", "PUT"] : ["POST"];
    if (!methods.includes(method)) {
      const status = STATUS_CODE.MethodNotAllowed;
      return new Response("Method not allowed\n", { status, headers: { allow: methods.join(", ") } });
    }
    const client = remoteAddr.hostname;
    const refused = refuseSender({ client, local: localAddr?.hostname ?? "", headers }, this.#from);
    if (refused) return this.#refuse(refused, client, body);
    if (!via) return this.#exit(exit?.[1] ?? "", searchParams);
    const id = cleanText(searchParams.get("job_id") ?? "");
    const startedMs = this.#intake.board.nowMs();
    const opening = this.#intake.open({ id, via, description: describeJob(searchParams), startedMs });
    return opening.refused ? this.#refuse(opening.refused, id, body) : this.#take(body, opening.job);
  }

  /** Reads the body to its end. What it holds meanwhile it holds for each job: no parameters, no request. */
  async #take(body: Body | null, job: Job): Promise<Response> {
    const stream = new ReportStream(this.#intake, { job });
    this.#open++;
    try {
      await readBody(body, (chunk) => stream.push(chunk));
    } finally {
      stream.end();
      this.#open--;
    }
    return new Response(null, { status: STATUS_CODE.NoContent });
  }

  async #refuse(why: RejectReason, who: string, body: Body | null): Promise<Response> {
    const reason = this.#refused < MAX_REFUSED ? why : "busy";
    this.#intake.reject(reason);
    if (reason !== "busy") {
      this.#refused++;
      this.#open++;
      await readBody(body, () => {});
      this.#open--;
      this.#refused--;
    }
    const { status, message } = REFUSALS[reason];
    const nowMs = this.#intake.board.nowMs();
    if (nowMs - (this.#loggedMs.get(reason) ?? -Infinity) > LOG_PERIOD_MS) {
      this.#loggedMs.set(reason, nowMs);
      this.#log.warn(`Cannot take the reports of "${who}": ${message}`, { reason });
    }
    return new Response(`Refused: ${message}\n`, { status });
  }

  async #exit(encodedId: string, parameters: URLSearchParams): Promise<Response> {
    const id = decodeId(encodedId);
    const code = parameters.get("code") ?? "";
    const pid = Number(parameters.get("pid") || NaN);
    if (id === "" || !EXIT_CODE_REGEXP.test(code)) {
      const status = STATUS_CODE.BadRequest;
      return new Response('Want "POST /jobs/ID/exit?code=N", with N the exit code\n', { status });
    }
    this.#beforeExit(id);
    const refused = this.#intake.board.exit(id, Number(code), pid > 0 ? pid : undefined);
    return refused
      ? await this.#refuse(refused, id, null)
      : new Response(null, { status: STATUS_CODE.NoContent });
  }
}

function decodeId(encoded: string): string {
  try {
    return cleanText(decodeURIComponent(encoded));
  } catch {
    return "";
  }
}
