import { expect, it } from "vitest";
import type { ExecutorControl } from "../src/contract-ports.ts";
import { succeeded } from "../src/testing/index.ts";
import { endedAt, gate, mesh, signal, submission, through, typesOf, viewOf } from "./fixtures/mesh.ts";

const reason = "because";
/** A run of several commands that stops between them while the task is paused, as the engine does. */
function commandsOf(doors: readonly { opened: Promise<void> }[], done: string[]) {
  return async (
    _task: unknown,
    { control, signal: stop }: { control?: ExecutorControl; signal: AbortSignal },
  ) => {
    for (const [n, door] of doors.entries()) {
      await control?.whenRunning({ signal: stop });
      done.push(`start ${n} ${control?.steering().join(" ")}`);
      await through(door.opened, stop);
      done.push(`end ${n}`);
    }
    return succeeded();
  };
}

it("pauses a run between its commands, keeps its lease, and goes on where it was", async () => {
  await using net = mesh();
  const done: string[] = [];
  const doors = [gate(), gate()];
  const alice = await net.join({ capacity: 0 });
  await net.join({ script: commandsOf(doors, done) });
  const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  await net.until(() => done.length === 1);
  const paused = await alice.coordinator.pause(taskId, { reason, signal });
  expect(paused).toEqual({ taskId, applied: true, state: "paused", boundary: "between-commands" });
  // The holder hears of it a moment later.
  await net.clock.advance(20);
  doors[0]!.open();
  await net.until(() => done.length === 2);
  // Longer than the lease: whoever is paused still gives signs of life.
  await net.clock.advance(30_000);
  expect(done).toEqual(["start 0 ", "end 0"]);
  expect(viewOf(alice, taskId)).toMatchObject({ state: "paused", attempt: 1, reason: { message: reason } });
  await alice.coordinator.steer(taskId, { text: "mind the gap", signal });
  expect(await alice.coordinator.resume(taskId, { signal })).toMatchObject({
    applied: true,
    state: "working",
    boundary: "at-once",
  });
  doors[1]!.open();
  expect(await net.until(endedAt(alice, taskId))).toMatchObject({ state: "completed", attempt: 1 });
  expect(done.slice(2)).toEqual(["start 1 mind the gap", "end 1"]);
});

it("keeps a queued task from being claimed while it is paused", async () => {
  await using net = mesh();
  const alice = await net.join({ capacity: 0 });
  const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  expect(await alice.coordinator.pause(taskId, { reason, signal })).toMatchObject({ boundary: "queued" });
  // Twice is once.
  expect(await alice.coordinator.pause(taskId, { reason, signal })).toMatchObject({ applied: true });
  const bob = await net.join();
  await net.clock.advance(10_000);
  expect(bob.executor.runs).toEqual([]);
  await alice.coordinator.resume(taskId, { signal });
  expect(await net.until(endedAt(alice, taskId))).toMatchObject({ state: "completed" });
  expect(await typesOf(alice, taskId)).toEqual([
    "task-submitted",
    "task-paused",
    "task-resumed",
    "task-claimed",
    "task-completed",
  ]);
});

it("does not take a paused task from a peer that died with it, until it is resumed", async () => {
  await using net = mesh();
  const alice = await net.join({ capacity: 0 });
  const bob = await net.join({ script: commandsOf([gate()], []) });
  const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  await net.until(() => viewOf(alice, taskId).state === "working");
  await alice.coordinator.pause(taskId, { reason, signal });
  const carol = await net.join();
  bob.kill();
  await net.clock.advance(30_000);
  expect(viewOf(alice, taskId)).toMatchObject({ state: "paused" });
  expect(viewOf(alice, taskId).lease).toBeUndefined();
  expect(carol.executor.runs).toEqual([]);
  await alice.coordinator.resume(taskId, { signal });
  expect(await net.until(endedAt(alice, taskId))).toMatchObject({ state: "completed", attempt: 2 });
});

it("says what a control came to when the task has ended", async () => {
  await using net = mesh();
  const alice = await net.join();
  const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  await net.until(endedAt(alice, taskId));
  const refused = { taskId, applied: false, state: "completed", refusal: "not-possible" };
  expect(await alice.coordinator.pause(taskId, { reason, signal })).toEqual(refused);
  expect(await alice.coordinator.resume(taskId, { signal })).toEqual(refused);
  expect(await alice.coordinator.steer(taskId, { text: "t", signal })).toEqual(refused);
  expect(await alice.coordinator.takeover(taskId, { reason, signal })).toEqual(refused);
});

it("lets a person take over: the holder is fenced, and what they bring is the task's decision", async () => {
  await using net = mesh();
  const door = gate();
  const alice = await net.join({ capacity: 0 });
  const bob = await net.join({ script: commandsOf([door], []) });
  const { taskId } = await alice.coordinator.submit({ goal: "g", attempts: 1 }, submission("1"));
  await net.until(() => viewOf(alice, taskId).state === "working");
  const taken = await alice.coordinator.takeover(taskId, { reason, signal });
  expect(taken).toEqual({ taskId, applied: true, state: "leased", boundary: "at-once" });
  expect(viewOf(alice, taskId)).toMatchObject({ attempt: 2, lease: { holder: alice.peer, manual: true } });
  await net.until(() => bob.tap.calls.some(({ text }) => text.includes("given up")));
  // A person takes their time.
  await net.clock.advance(60_000);
  const bytes = new TextEncoder().encode("by hand");
  const finishing = alice.coordinator.finish(
    taskId,
    { outcome: "succeeded", files: [{ path: "answer.txt", bytes, mediaType: "text/plain" }] },
    { signal },
  );
  const finished = await Promise.all([finishing, net.until(endedAt(alice, taskId))]);
  expect(finished[0]).toMatchObject({ applied: true, state: "completed" });
  const { result } = viewOf(alice, taskId);
  expect(result?.decision.address).toContain(alice.peer);
  expect(result?.artifacts).toMatchObject([{ path: "answer.txt", size: bytes.length }]);
});

it("lets a person hand a task back without using up an attempt", async () => {
  await using net = mesh();
  const alice = await net.join({ capacity: 0 });
  const { taskId } = await alice.coordinator.submit({ goal: "g", attempts: 1 }, submission("1"));
  expect(await alice.coordinator.handBack(taskId, { reason, signal })).toMatchObject({ applied: false });
  await alice.coordinator.takeover(taskId, { reason, signal });
  expect(await alice.coordinator.handBack(taskId, { reason: "not mine", signal })).toMatchObject({
    applied: true,
    state: "ready",
  });
  expect(await alice.coordinator.finish(taskId, { outcome: "succeeded" }, { signal })).toMatchObject({
    applied: false,
  });
  await net.join();
  expect(await net.until(endedAt(alice, taskId))).toMatchObject({ state: "completed", attempt: 2 });
});

it("waits for a person when a run asks, and gives their word to the next one", async () => {
  await using net = mesh();
  const heard: string[] = [];
  const alice = await net.join({
    script: async (_task, { control }) => {
      const words = control?.steering() ?? [];
      heard.push(...words);
      return words.length === 0
        ? { ...succeeded(), outcome: "failed", asks: { for: "input", question: "which branch?" } }
        : succeeded();
    },
  });
  const { taskId } = await alice.coordinator.submit({ goal: "g", attempts: 1 }, submission("1"));
  await net.until(() => viewOf(alice, taskId).state === "input-required");
  expect(viewOf(alice, taskId).reason).toMatchObject({
    code: "coordinator/needs-input",
    message: "which branch?",
  });
  await net.clock.advance(60_000);
  expect(alice.executor.runs).toHaveLength(1);
  expect(await alice.coordinator.steer(taskId, { text: "main", signal })).toMatchObject({
    applied: true,
    state: "ready",
    boundary: "queued",
  });
  expect(await net.until(endedAt(alice, taskId))).toMatchObject({ state: "completed" });
  expect(heard).toEqual(["main"]);
});

it("lets no secret into the ledger with a person's word", async () => {
  await using net = mesh();
  const alice = await net.join({ capacity: 0 });
  const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  const secret = "SECRET-0123456789";
  await alice.coordinator.steer(taskId, { text: `use ${secret}`, signal });
  await alice.coordinator.pause(taskId, { reason: secret, signal });
  expect(viewOf(alice, taskId).steering).toMatchObject([{ text: "use [hidden]", by: alice.peer }]);
  expect(alice.tap.calls.some(({ text }) => text.includes(secret))).toBe(false);
});

it("says that a cancellation stops a run at once, or that nothing ran", async () => {
  await using net = mesh();
  const alice = await net.join({ capacity: 0 });
  const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  expect(await alice.coordinator.cancel(taskId, { reason, signal })).toMatchObject({ boundary: "queued" });
});
