/**
 * Finding ffmpeg processes and following them, whatever happens to them between two looks.
 *
 * @module
 */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { parseContainer, parseInnerPid, parseStat } from "../../exporters/ffmpeg/process_files.ts";
import { ProcessTable } from "../../exporters/ffmpeg/process_table.ts";
import { CONTAINER_ID, ProcessTree } from "../../simulation/process_tree.ts";

/** A table of a tree, under a clock that the test moves. */
function follow(tree: ProcessTree, { names = ["ffmpeg"], limit = 100 } = {}): {
  table: ProcessTable;
  pass: (ms: number) => void;
  pids: () => number[];
} {
  let nowMs = 0;
  const table = new ProcessTable({
    path: tree.path,
    names,
    limit,
    nowMs: () => nowMs,
    wallClockMs: () => 5_000_000,
  });
  return {
    table,
    pass: (ms) => void (nowMs += ms),
    pids: () => [...table.processes.keys()].sort((a, b) => a - b),
  };
}

Deno.test("parseStat() reads past any name", () => {
  const stat = parseStat("7 (a) b (ffm) S) T 3 7 5 0 -1 0 0 0 0 0 120 30 0 0 20 0 9 0 4200 8192 2 0 0");
  assertEquals(stat, {
    state: "T",
    parentPid: 3,
    sessionId: 5,
    cpuTicks: 150,
    startTicks: 4200,
    virtualBytes: 8192,
    residentPages: 2,
  });
  for (const text of ["", "7 (ffmpeg", "7 (ffmpeg) S", "7 (ffmpeg) S x y z"]) {
    assertEquals(parseStat(text), undefined);
  }
});

Deno.test("parseContainer() finds the container in both cgroup versions", () => {
  const digits = CONTAINER_ID.slice(0, 12);
  for (
    const path of [
      `0::/system.slice/docker-${CONTAINER_ID}.scope`,
      `0::/docker/${CONTAINER_ID}`,
      `12:cpu,cpuacct:/docker/${CONTAINER_ID}\n11:memory:/docker/${CONTAINER_ID}`,
      `3:cpu:/\n2:memory:/docker/${CONTAINER_ID}`,
      `0::/machine.slice/libpod-${CONTAINER_ID}.scope/container`,
      `0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-${CONTAINER_ID}.scope`,
      `0::/kubepods.slice/kubepods-pod1_2.slice/cri-containerd-${CONTAINER_ID}.scope`,
      `0::/default/${CONTAINER_ID}`,
      // Seen from a cgroup namespace of the exporter's own.
      `0::/../docker-${CONTAINER_ID}.scope`,
      `0::/docker/${CONTAINER_ID}/docker/${"f".repeat(64)}`,
    ]
  ) assertEquals(parseContainer(`${path}\n`), digits, path);
  for (
    const path of [
      "0::/user.slice/session-1.scope",
      "",
      `0::/libpod-conmon-${CONTAINER_ID}.scope`,
      `0::/x-${CONTAINER_ID}f.scope`,
    ]
  ) assertEquals(parseContainer(path), "", path);
});

Deno.test("parseInnerPid() takes the innermost", () => {
  assertEquals(parseInnerPid("Pid:\t9\nNSpid:\t4711\t17\nX:\t1\n"), 17);
  assertEquals(parseInnerPid("NSpid:\t4711\n"), 4711);
  assertEquals(parseInnerPid("Pid:\t9\n"), undefined);
});

Deno.test("ProcessTable finds processes by name, scripts of that name left out", () => {
  using tree = new ProcessTree();
  tree.set(10, { args: ["/usr/bin/ffmpeg", "-i", "a", "b"] });
  tree.set(11, { name: "sleep" });
  tree.set(12, { args: ["/bin/sh", "/opt/shim/ffmpeg", "-i", "a"] });
  tree.set(13, { name: "Plex Transcoder 2", args: ["/usr/lib/plex/Plex Transcoder 2"] });
  const { table, pids } = follow(tree, { names: ["ffmpeg", "Plex Transcoder 2"] });
  table.look();
  assertEquals(pids(), [10, 13]);
  assert(table.seesAll);
});

Deno.test("ProcessTable notices a process that becomes ffmpeg, soon after its start and within a minute later", () => {
  using tree = new ProcessTree();
  const { table, pass, pids } = follow(tree);
  tree.set(20, { name: "sh" });
  table.look();
  tree.set(30, { args: ["/bin/sh", "/opt/shim/ffmpeg"] });
  pass(1000);
  table.look();
  tree.set(30);
  pass(1000);
  table.look();
  assertEquals(pids(), [30]);
  tree.set(20);
  for (let looks = 0; looks < 60; looks++) {
    pass(1000);
    table.look();
  }
  assertEquals(pids(), [20, 30]);
});

Deno.test("ProcessTable shows state, CPU time, start, memory and container", () => {
  using tree = new ProcessTree();
  tree.set(10, {
    args: ["ffmpeg", "-i", "a", "-c:v", "h264_nvenc", "b"],
    state: "T",
    cpuSeconds: 12.5,
    startSeconds: 900,
    innerPid: 17,
    cgroup: `0::/docker/${CONTAINER_ID}\n`,
  });
  const { table } = follow(tree);
  table.look();
  const process = table.processes.get(10);
  assert(process);
  assertEquals([process.state, process.cpuSeconds, process.innerPid], ["paused", 12.5, 17]);
  assertEquals([process.container, process.encoderClass], [CONTAINER_ID.slice(0, 12), "nvenc"]);
  // Booted at 4000 s, by a wall clock of 5000 s and an uptime of 1000 s.
  assertEquals(table.startSeconds(process), 4900);
  assertEquals([process.residentPages, table.pageBytes], [300, 4096]);
});

Deno.test("ProcessTable counts the CPU time of the worker: never twice, never less", () => {
  using tree = new ProcessTree();
  tree.set(10, { cpuSeconds: 50, startSeconds: 900 });
  const { table, pass } = follow(tree);
  const look = (): number => {
    pass(1000);
    table.look();
    return table.cpuSeconds;
  };
  assertEquals(look(), 0, "what it did before the exporter began");
  tree.set(10, { cpuSeconds: 53, startSeconds: 900 });
  tree.set(11, { cpuSeconds: 2, startSeconds: 1001 });
  assertAlmostEquals(look(), 5);
  tree.remove(10);
  assertAlmostEquals(look(), 5);
  // Its pid again, by another process.
  tree.set(10, { cpuSeconds: 1, startSeconds: 1002 });
  assertAlmostEquals(look(), 6);
  tree.set(10, { cpuSeconds: 0.5, startSeconds: 1003 });
  assertAlmostEquals(look(), 6.5);
});

Deno.test("ProcessTable takes a pid that is used again for another process", () => {
  using tree = new ProcessTree();
  tree.set(10, { startSeconds: 900 });
  const { table, pass } = follow(tree);
  table.look();
  const first = table.processes.get(10);
  tree.set(10, { startSeconds: 1001, args: ["ffmpeg", "-progress", "/x/second", "-i", "a", "b"] });
  pass(1000);
  table.look();
  assertEquals(first?.goneMs, 1000);
  assertEquals(table.processes.get(10)?.command.progressFile, "second");
  tree.set(10, { startSeconds: 1002, name: "bash" });
  pass(1000);
  table.look();
  assertEquals(table.processes.size, 0);
});

Deno.test("ProcessTable passes over a process that vanishes between two reads", () => {
  for (const file of ["comm", "stat", "cmdline", "status", "cgroup"]) {
    using tree = new ProcessTree();
    tree.set(10);
    tree.set(11);
    tree.removeFile(10, file);
    const { table, pids } = follow(tree);
    table.look();
    assertEquals(pids(), [11], file);
  }
});

Deno.test("ProcessTable knows an orphan, and a service of init's from one", () => {
  using tree = new ProcessTree();
  tree.set(10, { parentPid: 5 });
  tree.set(11, { parentPid: 1, sessionId: 11 });
  tree.set(12, { parentPid: 1, sessionId: 3 });
  const { table } = follow(tree);
  table.look();
  const orphans = (): number[] =>
    [...table.processes.values()].filter((each) => each.isOrphaned).map(({ pid }) => pid);
  assertEquals(orphans(), [12]);
  // systemd --user adopts the children of a session.
  tree.set(10, { parentPid: 800 });
  table.look();
  assertEquals(orphans(), [10, 12]);
});

Deno.test("ProcessTable knows a zombie for ended, and what waits from what works", () => {
  using tree = new ProcessTree();
  tree.set(10, { cpuSeconds: 1 });
  const { table, pass } = follow(tree);
  table.look();
  const process = table.processes.get(10);
  pass(4000);
  table.look();
  assertEquals(process?.isIdle(4000), true);
  tree.set(10, { cpuSeconds: 2 });
  table.look();
  assertEquals(process?.isIdle(4000), false);
  tree.set(10, { cpuSeconds: 2, state: "Z" });
  pass(1000);
  table.look();
  assertEquals([process?.state, process?.goneMs], ["zombie", 5000]);
});

Deno.test("ProcessTable is bounded, and knows whether all processes are shown to it", () => {
  using tree = new ProcessTree();
  for (let pid = 10; pid < 20; pid++) tree.set(pid);
  tree.remove(1);
  const { table, pids } = follow(tree, { limit: 4 });
  table.look();
  assertEquals([pids().length, table.excess, table.seesAll], [4, 6, false]);
});
