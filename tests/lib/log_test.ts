import { assertEquals } from "@std/assert";
import { createLogger } from "../../lib/log.ts";

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
