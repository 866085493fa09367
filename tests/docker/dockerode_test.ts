/** What an engine, or whatever stands before it, may do to a request: each ends in words, in time and in bounds. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { createServer, type ServerResponse } from "node:http";
import { DockerApi } from "../../exporters/docker/docker_api.ts";
import { DockerApiError } from "../../exporters/docker/docker_api_error.ts";

const MIB = 1024 ** 2;

interface Hostile extends AsyncDisposable {
  readonly api: DockerApi;
  /** Paths of the requests so far. */
  readonly requests: string[];
}

/** An API on a server with the given answer. */
async function serve(answer: (response: ServerResponse) => void, timeoutMs = 30_000): Promise<Hostile> {
  const folder = await Deno.makeTempDir();
  const socketPath = `${folder}/docker.sock`;
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(request.url ?? "");
    response.on("error", () => {});
    answer(response);
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  const api = new DockerApi({
    host: { name: `unix://${socketPath}`, socketPath },
    timeoutMs,
    concurrency: 4,
  });
  return {
    api,
    requests,
    async [Symbol.asyncDispose](): Promise<void> {
      api.close();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await Deno.remove(folder, { recursive: true });
    },
  };
}

for (const location of ["https://127.0.0.1:1/", "/elsewhere", "ftp://x", ""]) {
  Deno.test(`DockerApi follows no redirect, to "${location}"`, async () => {
    await using hostile = await serve((response) => response.writeHead(301, { location }).end("moved"));
    const error = await assertRejects(() => hostile.api.negotiate(), DockerApiError);
    assertEquals(error.reason, "refused");
    assertStringIncludes(error.message, "301, a redirect");
    assertEquals(hostile.requests, ["/version"]);
  });
}

Deno.test("DockerApi shows a redirect's address without what may be secret", async () => {
  const location = "https://user:secret@proxy.example/login?token=secret#secret";
  await using hostile = await serve((response) => response.writeHead(302, { location }).end());
  const { message } = await assertRejects(() => hostile.api.negotiate(), DockerApiError);
  assertStringIncludes(message, 'a redirect to "https://proxy.example/login"');
});

Deno.test("DockerApi gives up an answer that has no end once it is too large", async () => {
  await using hostile = await serve((response) => {
    let isClosed = false;
    response.on("close", () => isClosed = true);
    const more = (): void => {
      while (!isClosed && response.write(new Uint8Array(MIB).fill(32)));
      if (!isClosed) response.once("drain", more);
    };
    more();
  });
  const error = await assertRejects(() => hostile.api.list(), DockerApiError);
  assertEquals(error.reason, "invalid");
  assertStringIncludes(error.message, "answers larger than 16 MiB");
  // What was given up counts no more.
  await assertRejects(() => hostile.api.list(), DockerApiError, "answers larger");
});

Deno.test("DockerApi parses no answer that is nested without end", async () => {
  await using hostile = await serve((response) => response.end("[".repeat(MIB) + "]".repeat(MIB)));
  const error = await assertRejects(() => hostile.api.list(), DockerApiError);
  assertEquals(error.reason, "invalid");
  assertStringIncludes(error.message, "nested more than 64 levels");
});

Deno.test("DockerApi reads brackets within texts as texts", async () => {
  const list = [{ Id: "[{".repeat(MIB) + '\\"' }];
  await using hostile = await serve((response) => response.end(JSON.stringify(list)));
  assertEquals(await hostile.api.list(), list);
});

Deno.test("DockerApi cuts long messages of an engine", async () => {
  const message = "no ".repeat(MIB);
  await using hostile = await serve((response) => response.writeHead(500).end(JSON.stringify({ message })));
  const error = await assertRejects(() => hostile.api.list(), DockerApiError);
  assertEquals(error.reason, "refused");
  assert(error.message.length < 500, `${error.message.length} characters`);
});

Deno.test("DockerApi reports an answer that breaks off", async () => {
  await using hostile = await serve((response) => {
    response.writeHead(200, { "content-length": 1000 });
    response.write("[{", () => response.destroy());
  });
  const error = await assertRejects(() => hostile.api.list(), DockerApiError);
  assertEquals(error.reason, "invalid");
  assertStringIncludes(error.message, "breaks off in the middle");
});

Deno.test("DockerApi ends what it gives up: nothing is sent twice", async () => {
  let isHanging = false;
  await using hostile = await serve((response) => {
    if (!isHanging) response.end("[]");
  }, 200);
  await hostile.api.list();
  isHanging = true;
  const error = await assertRejects(() => hostile.api.list(), DockerApiError);
  assertEquals(error.reason, "timeout");
  isHanging = false;
  assertEquals(await hostile.api.list(), []);
  assertEquals(hostile.requests.length, 3);
});
