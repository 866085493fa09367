import { assertEquals } from "@std/assert";
import bcrypt from "bcryptjs";
import { BasicAuth, type Verdict } from "../../../lib/web/basic_auth.ts";
import { MAX_WAITING, type PasswordCheck, PasswordChecks } from "../../../lib/web/password_checks.ts";

/** Checks that compare texts and keep account of it. */
function fakeChecks(): { asked: PasswordCheck[]; check(request: PasswordCheck): Promise<boolean> } {
  const asked: PasswordCheck[] = [];
  return {
    asked,
    check(request): Promise<boolean> {
      asked.push(request);
      return Promise.resolve(request.password === request.hash);
    },
  };
}

function login(auth: BasicAuth, user: string, password: string): Promise<Verdict> {
  const bytes = new TextEncoder().encode(`${user}:${password}`);
  return auth.check({ authorization: `Basic ${bytes.toBase64()}`, client: "192.0.2.1" });
}

Deno.test("BasicAuth admits the right password and checks it once", async () => {
  const checks = fakeChecks();
  const auth = new BasicAuth(checks);
  auth.setUsers(new Map([["alice", "pässword"], ["bob", "builder"]]));
  for (let scrape = 0; scrape < 3; scrape++) assertEquals(await login(auth, "alice", "pässword"), "admitted");
  assertEquals(checks.asked.length, 1);
  assertEquals(await Promise.all([login(auth, "bob", "builder"), login(auth, "bob", "builder")]), [
    "admitted",
    "admitted",
  ]);
  assertEquals(checks.asked.length, 2);
});

Deno.test("BasicAuth checks a password for a name that does not exist, too, against some user's hash", async () => {
  const checks = fakeChecks();
  const auth = new BasicAuth(checks);
  auth.setUsers(new Map([["alice", "secret"]]));
  for (let attempt = 0; attempt < 3; attempt++) {
    assertEquals(await login(auth, "mallory", "secret"), "refused");
  }
  assertEquals(checks.asked.map(({ hash }) => hash), ["secret"]);
  assertEquals(await login(auth, "", "secret"), "refused");
});

Deno.test("BasicAuth remembers few refusals, and admitted users stay admitted under a flood", async () => {
  const checks = fakeChecks();
  const auth = new BasicAuth(checks);
  auth.setUsers(new Map([["alice", "secret"]]));
  await login(auth, "alice", "secret");
  for (let guess = 0; guess < 1000; guess++) assertEquals(await login(auth, "alice", `${guess}`), "refused");
  const before = checks.asked.length;
  assertEquals(await login(auth, "alice", "999"), "refused");
  assertEquals(await login(auth, "alice", "secret"), "admitted");
  assertEquals(checks.asked.length, before);
  await login(auth, "alice", "0");
  assertEquals(checks.asked.length, before + 1);
});

Deno.test("BasicAuth refuses a password once it is changed, and a user once removed", async () => {
  const auth = new BasicAuth(fakeChecks());
  auth.setUsers(new Map([["alice", "old"], ["bob", "b"]]));
  assertEquals([await login(auth, "alice", "old"), await login(auth, "bob", "b")], ["admitted", "admitted"]);
  auth.setUsers(new Map([["alice", "new"]]));
  assertEquals([await login(auth, "alice", "old"), await login(auth, "bob", "b")], ["refused", "refused"]);
  assertEquals(await login(auth, "alice", "new"), "admitted");
  auth.setUsers(new Map());
  assertEquals(await login(auth, "alice", "new"), "refused");
});

Deno.test("BasicAuth answers busy, and remembers nothing, when the check cannot be done", async () => {
  const auth = new BasicAuth({ check: () => Promise.resolve(undefined) });
  auth.setUsers(new Map([["alice", "secret"]]));
  assertEquals(await login(auth, "alice", "secret"), "busy");
});

const NOT_BASIC = [
  null,
  "",
  "Basic",
  "Basic !",
  "Basic YQ==",
  "Bearer YTpi",
  "basic",
  `Basic ${"A".repeat(2000)}`,
];
for (const authorization of NOT_BASIC) {
  Deno.test(`BasicAuth refuses Authorization: ${authorization?.slice(0, 20)} without a check`, async () => {
    const checks = fakeChecks();
    const auth = new BasicAuth(checks);
    auth.setUsers(new Map([["a", "b"]]));
    assertEquals(await auth.check({ authorization, client: "x" }), "refused");
    assertEquals(checks.asked, []);
  });
}

Deno.test("PasswordChecks compares with bcrypt in slices that leave the event loop to others", async () => {
  const checks = new PasswordChecks({ rest: () => Promise.resolve() });
  const hash = await bcrypt.hash("right", 11);
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  const answers = [
    await checks.check({ password: "right", hash, client: "a" }),
    await checks.check({ password: "wrong", hash: hash.replace("$2b$", "$2y$"), client: "a" }),
  ];
  clearInterval(timer);
  assertEquals(answers, [true, false]);
  assertEquals(turns >= 1, true);
});

Deno.test("PasswordChecks does one at a time, rests after failures, and lets few wait", async () => {
  let nowMs = 0;
  let running = 0;
  const rests: number[] = [];
  const begun: string[] = [];
  const gates: PromiseWithResolvers<boolean>[] = [];
  const checks = new PasswordChecks({
    monotonicMs: () => nowMs,
    rest: (ms) => Promise.resolve(void rests.push(ms)),
    compare: async (password) => {
      begun.push(password);
      assertEquals(++running, 1);
      const gate = Promise.withResolvers<boolean>();
      gates.push(gate);
      const matches = await gate.promise;
      nowMs += 50;
      running--;
      return matches;
    },
  });
  const ask = (client: string, password: string): Promise<boolean | undefined> =>
    checks.check({ password, hash: "", client });
  const first = ask("a", "0");
  const fromA = Array.from({ length: MAX_WAITING }, (_, index) => ask("a", `${index + 1}`));
  // One more takes the place of one of those who have most.
  const b = ask("b", "b");
  const dropped = await Promise.race(fromA.map(async (answer) => [await answer]));
  assertEquals(dropped, [undefined]);
  gates[0]?.resolve(false);
  assertEquals(await first, false);
  // The client whose checks have not failed comes first.
  while (begun.length < 2) await Promise.resolve();
  assertEquals(begun[1], "b");
  gates[1]?.resolve(true);
  assertEquals(await b, true);
  for (let index = 2; index <= MAX_WAITING; index++) {
    while (!gates[index]) await Promise.resolve();
    gates[index]?.resolve(false);
  }
  assertEquals((await Promise.all(fromA)).filter((answer) => answer === undefined).length, 1);
  assertEquals(begun.length, MAX_WAITING + 1);
  await Promise.resolve();
  assertEquals(rests, Array.from({ length: MAX_WAITING }, () => 150));
});

Deno.test("BasicAuth keeps those admitted whose hash stays, over a change of the list", async () => {
  const checks = fakeChecks();
  const auth = new BasicAuth(checks);
  auth.setUsers(new Map([["alice", "secret"], ["bob", "builder"]]));
  await login(auth, "alice", "secret");
  await login(auth, "bob", "builder");
  auth.setUsers(new Map([["alice", "secret"], ["bob", "other"], ["carol", "x"]]));
  assertEquals(await login(auth, "alice", "secret"), "admitted");
  assertEquals(checks.asked.length, 2);
  assertEquals(await login(auth, "bob", "builder"), "refused");
  // Of somebody else with the same hash, nothing is known.
  auth.setUsers(new Map([["carol", "secret"]]));
  assertEquals(await login(auth, "carol", "secret"), "admitted");
  assertEquals(checks.asked.length, 4);
});
