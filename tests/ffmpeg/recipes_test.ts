/**
 * The recipes of docs/attach.md, with programs of others that really transcode: one environment variable or the path of
 * ffmpeg is set, and their encode is on the page; nothing is set, and it is there as unobserved.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { eventually, ROOT } from "../support/exporter_process.ts";
import { encode, pictures, VIDEO } from "../support/ffmpeg_encode.ts";
import { valueOf } from "../support/ffmpeg_jobs.ts";
import { ProcessWorker } from "../support/process_worker.ts";
import { needs, needsNamespaces } from "../support/programs.ts";

/** What npm brings; ffmpeg-static, which rtsp-relay wants, would fetch an ffmpeg from elsewhere. */
const PACKAGES = ["node-media-server@2.7.4", "fluent-ffmpeg@2.1.3", "rtsp-relay@1.9.0", "express@4.22.3"];
const DEADLINE_MS = 30_000;

/** A way to attach: what is set in a program's environment. */
type Way = "report" | "shim" | "nothing";

/** A worker beside which a program of others transcodes. */
class Site extends ProcessWorker {
  readonly shims = `${this.folder}/shim`;
  readonly input = `${this.folder}/input.mp4`;

  async prepare(): Promise<this> {
    Deno.mkdirSync(this.shims);
    for (const name of ["ffmpeg", "ffprobe"]) {
      Deno.symlinkSync(`${ROOT}scripts/ffmpeg`, `${this.shims}/${name}`);
    }
    assertEquals(await encode([...pictures(60), ...VIDEO, "-g", "25", this.input]), 0);
    return this;
  }

  /** The environment of a program that is attached in a way. */
  environment(way: Way): Record<string, string> {
    const path = Deno.env.get("PATH") ?? "";
    const ffmpeg = way === "shim" ? `${this.shims}/ffmpeg` : findFfmpeg();
    return {
      FFMPEG: ffmpeg,
      // Of fluent-ffmpeg.
      FFMPEG_PATH: ffmpeg,
      PATH: way === "shim" ? `${this.shims}:${path}` : path,
      ...(way === "shim" && { FFMPEG_PROGRESS_DIR: this.progress, FFMPEG_JOB: "shim" }),
      ...(way === "report" && { FFREPORT: `file=${this.progress}/report-%t.log:level=32` }),
      INPUT: this.input,
      OUTPUT: this.folder,
    };
  }
}

function findFfmpeg(): string {
  for (const folder of (Deno.env.get("PATH") ?? "").split(":")) {
    try {
      if (Deno.statSync(`${folder}/ffmpeg`).isFile) return `${folder}/ffmpeg`;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  throw new Error("ffmpeg is not on the PATH");
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** A program, and what feeds it with the input in realtime. */
interface Recipe {
  readonly script: string;
  /** The encoder that it asks for. */
  readonly encoder: string;
  /** Prepares its environment; returns the arguments of an ffmpeg that feeds it, if it needs one. */
  readonly feed?: (env: Record<string, string>) => string[];
  /** Whether that has to listen before the program starts. */
  readonly isFedFirst?: boolean;
}

const RECIPES: Readonly<Record<string, Recipe>> = {
  "fluent-ffmpeg": { script: "fluent-ffmpeg.cjs", encoder: "libx264" },
  "rtsp-relay": {
    script: "rtsp-relay.cjs",
    encoder: "mpeg1video",
    isFedFirst: true,
    feed: (env) => {
      env.SOURCE = `http://127.0.0.1:${freePort()}/in.ts`;
      return ["-re", "-i", env.INPUT ?? "", "-c", "copy", "-f", "mpegts", "-listen", "1", env.SOURCE];
    },
  },
  "node-media-server": {
    script: "node-media-server.cjs",
    encoder: "libx264",
    feed: (env) => {
      [env.RTMP_PORT, env.HTTP_PORT] = [String(freePort()), String(freePort())];
      return [
        "-re",
        "-i",
        env.INPUT ?? "",
        "-c",
        "copy",
        "-f",
        "flv",
        `rtmp://127.0.0.1:${env.RTMP_PORT}/live/s3cret`,
      ];
    },
  },
};

/** Ends a program and what it started. */
class Group implements AsyncDisposable {
  readonly #children: Deno.ChildProcess[] = [];

  start(command: string, args: string[], options: { env?: Record<string, string>; cwd: string }): void {
    const quiet = { stdin: "null", stdout: "null", stderr: "null" } as const;
    this.#children.push(
      new Deno.Command("setsid", { args: [command, ...args], ...options, ...quiet }).spawn(),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { pid, status } of this.#children) {
      // The group may have ended by itself.
      await new Deno.Command("kill", { args: ["-KILL", "--", `-${pid}`], stderr: "null" }).output();
      await status;
    }
  }
}

async function assertAttached(site: Site, way: Way, { encoder }: Recipe): Promise<void> {
  const { exporter } = site;
  await eventually(async () => {
    const page = await exporter.metrics();
    if (way === "nothing") {
      const [, pid = ""] =
        /^ffmpeg_process_info\{pid="(\d+)",job_id="",container="",encoder="software"\} 1$/m.exec(page) ?? [];
      assert((valueOf(page, `ffmpeg_process_cpu_seconds_total{pid="${pid}"}`) ?? 0) > 0, page);
      return;
    }
    const [, job = ""] = new RegExp(`^ffmpeg_job_info\\{job_id="(${way}-[^"]*)",.*\\} 1$`, "m").exec(page) ??
      [];
    assert((valueOf(page, `ffmpeg_job_speed_ratio{job_id="${job}"}`) ?? 0) > 0, page);
    assert((valueOf(page, `ffmpeg_job_cpu_seconds_total{job_id="${job}"}`) ?? 0) > 0, page);
    assert(page.includes(`job_id="${job}",container="",encoder="software"} 1`), page);
    // By the shim, what encodes is known from the process alone.
    if (way === "report") {
      assert(page.includes(`ffmpeg_job_info{job_id="${job}",via="file",encoder="${encoder}"`), page);
    }
    assert(!page.includes("s3cret"));
  }, DEADLINE_MS);
}

Deno.test({
  name:
    "programs that were not written here are on the page by one variable, by the path of the shim, or unobserved",
  ignore: needs("ffmpeg", "node", "npm", "setsid", "unshare").ignore || needsNamespaces().ignore,
  fn: async (t) => {
    const modules = await Deno.makeTempDir({ prefix: "recipes-" });
    const { success, stderr } = await new Deno.Command("npm", {
      args: ["install", "--prefix", modules, "--ignore-scripts", "--no-audit", "--no-fund", ...PACKAGES],
    }).output();
    assert(success, new TextDecoder().decode(stderr));
    for (const [name, recipe] of Object.entries(RECIPES)) {
      for (const way of ["report", "shim", "nothing"] as const) {
        await t.step(`${name}: ${way}`, async () => {
          await using site = await new Site().prepare();
          await site.start();
          await using group = new Group();
          const env = site.environment(way);
          const script = `${modules}/${recipe.script}`;
          Deno.copyFileSync(`${ROOT}tests/fixtures/recipes/${recipe.script}`, script);
          const feed = recipe.feed?.(env);
          const program = (): void => group.start("node", [script], { env, cwd: site.folder });
          if (!recipe.isFedFirst) program();
          // What feeds the program tries again until somebody takes it.
          if (feed) {
            const retry = 'until ffmpeg -v error -nostdin "$@"; do sleep 0.2; done';
            group.start("sh", ["-c", retry, "sh", ...feed], { cwd: site.folder });
          }
          if (recipe.isFedFirst) {
            await eventually(() => assert(isListening(new URL(env.SOURCE ?? "").port)), DEADLINE_MS);
            program();
          }
          await assertAttached(site, way, recipe);
        });
      }
    }
    await Deno.remove(modules, { recursive: true });
  },
});

/** Whether a port of this machine is listened on, without a connection to it. */
function isListening(port: string): boolean {
  const hex = Number(port).toString(16).toUpperCase().padStart(4, "0");
  return new RegExp(`^ *\\d+: 0100007F:${hex} 00000000:0000 0A `, "m").test(
    Deno.readTextFileSync("/proc/net/tcp"),
  );
}
