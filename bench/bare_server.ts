/**
 * The floor: `Deno.serve` that answers a given number of bytes from memory.
 *
 * @module
 */
const [port, size] = Deno.args.map(Number);
const page = "x".repeat(size ?? 0);
const headers = { "content-type": "text/plain; version=0.0.4; charset=utf-8" };
Deno.serve(
  { hostname: "0.0.0.0", port: port ?? 0, onListen: () => {} },
  () => new Response(page, { headers }),
);
