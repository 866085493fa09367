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
import { emptyResponse, type HttpRequest, type HttpResponse, textResponse } from "../../lib/http/message.ts";
import type { Logger } from "../../lib/log.ts";
import { refuseSender } from "./admission.ts";
import { paced } from "./body_reader.ts";
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

/** Takes reports and exit codes over HTTP. */
export class Ingest {
  readonly #intake: Intake;
  readonly #from: BlockList;
  readonly #log: Logger;
  readonly #beforeExit: (id: string) => void;
  readonly #loggedMs = new Map<RejectReason, number>();
  #open = 0;
  /** Requests of these whose connections are never closed to make room for others. */
  #wanted = 0;
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
  handle(request: HttpRequest): HttpResponse | Promise<HttpResponse> | undefined {
    const { method, path, query, client } = request;
    const via = Object.hasOwn(VIAS, path) ? VIAS[path] : undefined;
    const exit = EXIT_PATH_REGEXP.exec(path);
    if (!via && !exit) return undefined;
    const methods = via ? ["POST", "PUT"] : ["POST"];
    if (!methods.includes(method)) {
      return textResponse("Method not allowed\n", STATUS_CODE.MethodNotAllowed, {
        allow: methods.join(", "),
      });
    }
    const parameters = new URLSearchParams(query);
    const refused = refuseSender(request, this.#from);
    if (refused) return this.#refuse(refused, client, request);
    if (!via) return this.#exit(request, exit?.[1] ?? "", parameters);
    const id = cleanText(parameters.get("job_id") ?? "");
    const startedMs = this.#intake.board.nowMs();
    const opening = this.#intake.open({ id, via, description: describeJob(parameters), startedMs });
    return opening.refused ? this.#refuse(opening.refused, id, request) : this.#take(request, opening.job);
  }

  /** Reads the body to its end. What it holds meanwhile it holds for each job: no parameters, no request. */
  async #take({ readBody }: HttpRequest, job: Job): Promise<HttpResponse> {
    const stream = new ReportStream(this.#intake, { job });
    // The connection of a job that is over may stay open, and the job makes way for others all the same: without a
    // bound, clients could hold any number of such connections.
    const isWanted = this.#wanted < this.#intake.board.maxJobs;
    this.#open++;
    if (isWanted) this.#wanted++;
    try {
      await readBody(paced((chunk) => stream.push(chunk)), isWanted);
    } finally {
      stream.end();
      this.#open--;
      if (isWanted) this.#wanted--;
    }
    return emptyResponse(STATUS_CODE.NoContent);
  }

  async #refuse(why: RejectReason, who: string, { readBody }: HttpRequest): Promise<HttpResponse> {
    const reason = this.#refused < MAX_REFUSED ? why : "busy";
    this.#intake.reject(reason);
    if (reason !== "busy") {
      this.#refused++;
      this.#open++;
      await readBody(paced(() => {}));
      this.#open--;
      this.#refused--;
    }
    const { status, message } = REFUSALS[reason];
    const nowMs = this.#intake.board.nowMs();
    if (nowMs - (this.#loggedMs.get(reason) ?? -Infinity) > LOG_PERIOD_MS) {
      this.#loggedMs.set(reason, nowMs);
      this.#log.warn(`Cannot take the reports of "${who}": ${message}`, { reason });
    }
    return textResponse(`Refused: ${message}\n`, status);
  }

  async #exit(request: HttpRequest, encodedId: string, parameters: URLSearchParams): Promise<HttpResponse> {
    const id = decodeId(encodedId);
    const code = parameters.get("code") ?? "";
    const pid = Number(parameters.get("pid") || NaN);
    if (id === "" || !EXIT_CODE_REGEXP.test(code)) {
      return textResponse('Want "POST /jobs/ID/exit?code=N", with N the exit code\n', STATUS_CODE.BadRequest);
    }
    this.#beforeExit(id);
    const refused = this.#intake.board.exit(id, Number(code), pid > 0 ? pid : undefined);
    return refused ? await this.#refuse(refused, id, request) : emptyResponse(STATUS_CODE.NoContent);
  }
}

function decodeId(encoded: string): string {
  try {
    return cleanText(decodeURIComponent(encoded));
  } catch {
    return "";
  }
}
