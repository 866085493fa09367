import { assertEquals } from "@std/assert";
import { createLogger } from "../../lib/log.ts";
import { MAX_PER_MESSAGE, MAX_PER_MINUTE } from "../../lib/log_limit.ts";
import { LogQueue } from "../../lib/log_queue.ts";

function lines(
  options: Parameters<typeof createLogger>[0],
  write: (log: ReturnType<typeof createLogger>) => void,
): string[] {
  const written: string[] = [];
  write(createLogger({ ...options, write: (line) => written.push(line), wallClockMs: () => 0 }));
  return written;
}

Deno.test("createLogger() writes logfmt and quotes what needs it", () => {
  assertEquals(
    lines(
      {},
      (log) =>
        log.warn("a b", {
          path: "/run/x",
          text: 'q"\n',
          empty: "",
          n: 1,
          error: new Error("no"),
          o: { a: 1 },
        }),
    ),
    [
      'time=1970-01-01T00:00:00.000Z level=warn msg="a b" path=/run/x text="q\\"\\n" empty="" n=1 error="Error: no" o="{\\"a\\":1}"\n',
    ],
  );
});

Deno.test("createLogger() writes JSON, one object a line", () => {
  const [line = ""] = lines(
    { format: "json" },
    (log) => log.info("x\ny", { big: 1n, error: new TypeError("t") }),
  );
  assertEquals(JSON.parse(line), {
    time: "1970-01-01T00:00:00.000Z",
    level: "info",
    msg: "x\ny",
    big: "1",
    error: "TypeError: t",
  });
});

Deno.test("createLogger() drops lines below its level", () => {
  const levels = lines({ level: "warn" }, (log) => {
    log.debug("1");
    log.info("2");
    log.warn("3");
    log.error("4");
  }).map((line) => /msg=(\S+)/.exec(line)?.[1]);
  assertEquals(levels, ["3", "4"]);
});

Deno.test("createLogger() cuts values and escapes what a terminal would obey", () => {
  for (const format of ["logfmt", "json"] as const) {
    const hostile = "\u001b[2J\u0000\u009b31m\u202egnp.exe\u2028\ufeff";
    const [line = ""] = lines({ format }, (log) => log.warn(hostile, { long: "x".repeat(60_000), hostile }));
    assertEquals(line.length < 2000, true);
    // deno-lint-ignore no-control-regex
    assertEquals(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028-\u202e\ufeff]/.test(line), false, line);
    assertEquals(line.endsWith("\n") && line.indexOf("\n") === line.length - 1, true);
  }
  const [line = ""] = lines({ format: "json" }, (log) => log.warn("a\u009bb"));
  assertEquals(JSON.parse(line).msg, "a\u009bb");
});

Deno.test("createLogger() limits how often a message, and how many messages, are written, and counts the rest", () => {
  const written: string[] = [];
  let nowMs = 0;
  const log = createLogger({ write: (line) => written.push(line), wallClockMs: () => nowMs });
  for (let index = 0; index < 1000; index++) log.warn("the same", { index });
  assertEquals(written.length, MAX_PER_MESSAGE);
  for (let index = 0; index < 1000; index++) log.warn(`another ${index}`);
  assertEquals(written.length, MAX_PER_MINUTE);
  nowMs = 61_000;
  log.warn("the same");
  const counted = written.map((line) => Number(/suppressed=(\d+)/.exec(line)?.[1] ?? 0));
  assertEquals(counted.reduce((sum, count) => sum + count, 0), 2000 - MAX_PER_MINUTE);
});

Deno.test("LogQueue does not wait for a reader, drops what does not fit, and counts it", async () => {
  const gate = Promise.withResolvers<void>();
  let text = "";
  const queue = new LogQueue({
    write: async (bytes) => {
      await gate.promise;
      text += new TextDecoder().decode(bytes);
      return bytes.length;
    },
  });
  for (let index = 0; index < 10_000; index++) queue.push(`line ${index} ${"x".repeat(90)}\n`);
  await queue.flush(1);
  assertEquals(text, "");
  gate.resolve();
  await queue.flush(10_000);
  const count = text.split("\n").filter((line) => line.startsWith("line")).length;
  const dropped = Number(/dropped=(\d+)/.exec(text)?.[1]);
  assertEquals([count + dropped, text.length < 600_000], [10_000, true]);
});

Deno.test("LogQueue leaves no line behind, whenever it comes", async () => {
  let text = "";
  const queue = new LogQueue({
    write: (bytes) => {
      text += new TextDecoder().decode(bytes);
      return Promise.resolve(bytes.length);
    },
  });
  for (let turns = 0; turns < 20; turns++) {
    queue.push("first\n");
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    queue.push("second\n");
    await new Promise((resolve) => setTimeout(resolve));
    assertEquals([turns, text], [turns, "first\nsecond\n"]);
    text = "";
  }
});
