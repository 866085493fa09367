/**
 * The shim that stands in for ffmpeg: an encode is on the exporter's page, and the caller notices nothing.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { eventually, ROOT, startExporter } from "../support/exporter_process.ts";
import { digest, pictures, VIDEO } from "../support/ffmpeg_encode.ts";
import { valueOf } from "../support/ffmpeg_jobs.ts";
import { isInstalled, needs, needsNamespaces } from "../support/programs.ts";

/** The shim in a folder apart from PATH, as an installation has it, and a folder for progress. */
class Shim implements AsyncDisposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "ffmpeg-shim-" });
  readonly path = `${this.folder}/shim/ffmpeg`;
  readonly progress = `${this.folder}/progress`;

  constructor() {
    Deno.mkdirSync(this.progress);
    Deno.mkdirSync(`${this.folder}/shim`);
    for (const name of ["ffmpeg", "ffprobe"]) {
      Deno.symlinkSync(`${ROOT}scripts/ffmpeg`, `${this.folder}/shim/${name}`);
    }
  }

  /** The files that encodes have begun, by name. */
  get files(): string[] {
    return [...Deno.readDirSync(this.progress)].map(({ name }) => name);
  }

  command(args: string[], { env = {}, shell, program = this.path }: {
    env?: Record<string, string>;
    shell?: string[];
    program?: string;
  } = {}): Deno.Command {
    const [command = "", ...rest] = [...shell ?? [], program, ...args];
    return new Deno.Command(command, {
      args: rest,
      env: { FFMPEG_PROGRESS_DIR: this.progress, ...env },
      cwd: this.folder,
      stdin: "null",
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** How a command ended and what it wrote, without the addresses that newer ffmpegs write. */
async function outcome(command: Deno.Command): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await command.output();
  const [out = "", error = ""] = [stdout, stderr].map((bytes) =>
    new TextDecoder().decode(bytes).replaceAll(/ @ 0x[\da-f]+/g, "")
  );
  return { code, stdout: out, stderr: error };
}

const QUIET = ["-v", "error", "-y"];
const SHELLS = [["dash"], ["bash"], ["busybox", "sh"]].filter(([shell = ""]) => isInstalled(shell));

for (const shell of SHELLS) {
  Deno.test({
    name: `the shim under ${
      shell.join(" ")
    }: same output, same exit code, same words; the progress file names its pid`,
    ...needs("ffmpeg"),
    fn: async () => {
      await using shim = new Shim();
      const args = (name: string): string[] => [...QUIET, ...pictures(1), ...VIDEO, `${name}.mp4`];
      const real = await outcome(shim.command(args("real"), { program: "ffmpeg" }));
      const own = await outcome(shim.command(args("own"), { shell }));
      assertEquals(own, real);
      assertEquals(await digest(`${shim.folder}/own.mp4`), await digest(`${shim.folder}/real.mp4`));
      const [file = "", ...others] = shim.files;
      assertEquals(others, []);
      assertMatch(file, /^ffmpeg-(\d+)-[\da-f]{8}\?pid=\1$/);
      assertMatch(Deno.readTextFileSync(`${shim.progress}/${file}`), /^progress=end$/m);
      const failing = [...QUIET, "-i", "nothing.mp4", "out.mp4"];
      assertEquals(
        await outcome(shim.command(failing, { shell })),
        await outcome(shim.command(failing, { program: "ffmpeg" })),
      );
    },
  });
}

Deno.test({
  name: "the shim passes on what encodes nothing, and ffprobe, and leaves no file",
  ...needs("ffmpeg", "ffprobe"),
  fn: async () => {
    await using shim = new Shim();
    for (
      const args of [["-version"], ["-hide_banner", "-encoders"], ["-h"], [], [
        "-hide_banner",
        "-i",
        "/dev/null",
      ]]
    ) {
      const expected = await outcome(shim.command(args, { program: "ffmpeg" }));
      assertEquals(await outcome(shim.command(args)), expected, args.join(" "));
    }
    const probe = await shim.command(["-version"], { program: `${shim.folder}/shim/ffprobe` }).output();
    assertMatch(new TextDecoder().decode(probe.stdout), /^ffprobe version/);
    assertEquals(shim.files, []);
  },
});

Deno.test({
  name: "the shim becomes ffmpeg: signals and standard input are ffmpeg's",
  ...needs("ffmpeg"),
  fn: async () => {
    await using shim = new Shim();
    const args = [...QUIET, ...pictures(60, { realtime: true }), "-f", "null", "-"];
    const options = { env: { FFMPEG_JOB: "live?expect=nvenc" } };
    const started = (count: number): Promise<void> =>
      eventually(() => {
        const begun = shim.files.filter((name) => Deno.statSync(`${shim.progress}/${name}`).size > 1);
        assertEquals(begun.length, count);
      });
    const command = shim.command(args, options);
    const child = command.spawn();
    await started(1);
    assertEquals(Deno.readTextFileSync(`/proc/${child.pid}/comm`), "ffmpeg\n");
    assertMatch(shim.files[0] ?? "", new RegExp(`^live-${child.pid}-.*\\?expect=nvenc&pid=${child.pid}$`));
    child.kill("SIGTERM");
    assertEquals((await child.status).code, 255);
    const typed = new Deno.Command(shim.path, {
      args,
      env: { FFMPEG_PROGRESS_DIR: shim.progress },
      stdin: "piped",
      stdout: "null",
      stderr: "null",
    }).spawn();
    await started(2);
    const keys = typed.stdin.getWriter();
    await keys.write(new TextEncoder().encode("q"));
    assertEquals((await typed.status).code, 0);
    await keys.close().catch(() => {});
  },
});

Deno.test({
  name: "the shim leaves the caller's own -progress alone, and has a report written beside it",
  ...needs("ffmpeg"),
  fn: async () => {
    await using shim = new Shim();
    const args = [...QUIET, ...pictures(1), "-progress", "pipe:1", "-f", "null", "-"];
    const { code, stdout, stderr } = await shim.command(args).output();
    const text = new TextDecoder().decode(stdout);
    assertEquals([code, stderr.length], [0, 0]);
    assertMatch(text, /^frame=25$[^]*^progress=end$/m);
    assertMatch(shim.files[0] ?? "", /\.log\?pid=/);
    assertMatch(Deno.readTextFileSync(`${shim.progress}/${shim.files[0]}`), /^ffmpeg started on /);
    // A report that somebody else asked for stays where it is.
    const report = `${shim.folder}/own.log`;
    await shim.command(args, { env: { FFREPORT: `file=${report}:level=32` } }).output();
    assert(Deno.statSync(report).size > 0);
  },
});

Deno.test({
  name: "the shim costs an encode nothing where its folder is missing, or two shims find each other",
  ...needs("ffmpeg"),
  fn: async () => {
    await using shim = new Shim();
    const args = [...QUIET, ...pictures(1), "-f", "null", "-"];
    const nowhere = { env: { FFMPEG_PROGRESS_DIR: `${shim.folder}/nowhere` } };
    assertEquals(
      await shim.command(args, nowhere).output(),
      await shim.command(args, { program: "ffmpeg" }).output(),
    );
    for (const name of ["one", "two"]) {
      Deno.mkdirSync(`${shim.folder}/${name}`);
      Deno.copyFileSync(`${ROOT}scripts/ffmpeg`, `${shim.folder}/${name}/ffmpeg`);
    }
    const path = `${shim.folder}/one:${shim.folder}/two:${Deno.env.get("PATH")}`;
    assertEquals((await shim.command(args, { env: { PATH: path }, program: "ffmpeg" }).output()).code, 0);
    assertEquals(shim.files.length, 1);
  },
});

Deno.test({
  name: "the shim costs an encode nothing where the disk of its folder is full",
  ignore: needs("ffmpeg", "unshare").ignore || needsNamespaces().ignore,
  fn: async () => {
    await using shim = new Shim();
    const script = 'mount -t tmpfs -o size=64k tmpfs "$FFMPEG_PROGRESS_DIR" && ' +
      'dd if=/dev/zero of="$FFMPEG_PROGRESS_DIR/full" bs=64k count=1 2>/dev/null && exec "$@"';
    const shell = ["unshare", "--mount", "sh", "-c", script, "sh"];
    const args = [...QUIET, ...pictures(1), "-f", "null", "-"];
    assertEquals(
      await shim.command(args, { shell }).output(),
      await shim.command(args, { program: "ffmpeg" }).output(),
    );
  },
});

Deno.test({
  name: "an encode through the shim is on the exporter's page",
  ...needs("ffmpeg"),
  fn: async () => {
    await using shim = new Shim();
    await using exporter = await startExporter("ffmpeg", {
      permissions: ["--no-prompt", "--allow-net=0.0.0.0", `--allow-read=${shim.progress}`],
      args: [`--progress-dir=${shim.progress}`],
    });
    const env = { FFMPEG_JOB: "movie" };
    const child = shim.command([...QUIET, ...pictures(60, { realtime: true }), "-f", "null", "-"], { env })
      .spawn();
    const id = await eventually(() => {
      const [file = ""] = shim.files;
      assert(file !== "");
      return file.split("?")[0];
    });
    await eventually(async () => {
      const page = await exporter.metrics();
      assert((valueOf(page, `ffmpeg_job_frames_total{job_id="${id}"}`) ?? 0) > 0, page);
      assertMatch(page, new RegExp(`ffmpeg_job_info{job_id="${id}",.*pid="${child.pid}"`));
    });
    child.kill("SIGKILL");
    await child.status;
  },
});
