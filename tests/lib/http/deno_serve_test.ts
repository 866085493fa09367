/** What `Deno.serve` cannot be held to (docs/deno-faults.md): once this fails, lib/http/ can be thought over. */
import { assertEquals, assertGreater } from "@std/assert";
import { eventually } from "../../support/exporter_process.ts";

const ENCODER = new TextEncoder();

Deno.test("Deno.serve answers requests that are sent ahead though no answer is read, as far as the kernel takes them", async () => {
  let answered = 0;
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => {
    answered++;
    return new Response("x".repeat(1000));
  });
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: server.addr.port });
  await connection.write(ENCODER.encode("GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(50)));
  const buffer = new Uint8Array(1);
  await connection.read(buffer);
  await eventually(() => assertEquals(answered, 50));
});

Deno.test("Deno.serve speaks HTTP/2 to whoever asks, with no way to turn it off", async () => {
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response("x"),
  );
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: server.addr.port });
  const settings = "\0\0\0\x04\0\0\0\0\0";
  await connection.write(ENCODER.encode(`PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${settings}`));
  const buffer = new Uint8Array(1000);
  assertGreater(await connection.read(buffer) ?? 0, 9);
  // A SETTINGS frame.
  assertEquals(buffer[3], 4);
});
