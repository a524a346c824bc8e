import { expect, it } from "vitest";
import type { Ack } from "../src/contract.ts";
import { memoryOutbox } from "../src/testing/index.ts";
import { endedAt, eventsOf, mesh, SECRET, signal, submission, viewOf } from "./fixtures/mesh.ts";

it("answers pending when nobody leads, and commits when somebody does", async () => {
  await using net = mesh();
  const alice = await net.join();
  net.ledgers.depose();
  const ack = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  expect(ack).toEqual({ taskId: ack.taskId, status: "pending", replicas: 1 });
  expect(viewOf(alice, ack.taskId)).toMatchObject({ state: "submitted", entry: alice.peer, lastSeq: 0 });
  expect(alice.coordinator.list({ state: "submitted" })).toHaveLength(1);
  net.ledgers.elect();
  expect(await net.until(endedAt(alice, ack.taskId))).toMatchObject({ state: "completed" });
  expect(await alice.components.outbox.list()).toEqual([]);
});

it("answers pending after a while when the ledger does not answer", async () => {
  await using net = mesh();
  const alice = await net.join({ submitWaitMs: 1000 });
  alice.ledger.mute = true;
  let ack: Ack | undefined;
  const asked = alice.coordinator.submit({ goal: "g" }, submission("1")).then((answer) => (ack = answer));
  const { taskId, status } = await net.until(() => ack);
  expect(status).toBe("pending");
  alice.ledger.mute = false;
  await net.until(endedAt(alice, taskId));
  await asked;
});

it("keeps a pending task through a restart", async () => {
  await using net = mesh();
  const alice = await net.join();
  net.ledgers.depose();
  const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  const again = await alice.restart();
  expect(viewOf(again, taskId)).toMatchObject({ state: "submitted" });
  net.ledgers.elect();
  expect(await net.until(endedAt(again, taskId))).toMatchObject({ state: "completed", principal: "ada" });
  expect(await again.components.outbox.list()).toEqual([]);
});

it("has the task on disk before it asks the ledger", async () => {
  await using net = mesh();
  const outbox = memoryOutbox();
  const alice = await net.join({ outbox });
  alice.ledger.mute = true;
  const gone = new AbortController();
  const asked = alice.coordinator.submit({ goal: "g" }, { ...submission("1"), signal: gone.signal });
  await net.until(() => alice.coordinator.list().length === 1);
  gone.abort(new Error("caller hung up"));
  await expect(asked).rejects.toThrow("caller hung up");
  expect(await outbox.list()).toHaveLength(1);
  alice.ledger.mute = false;
  await net.until(() => alice.coordinator.list({ state: "completed" }).length === 1);
});

it("accepts nothing when it cannot keep it", async () => {
  await using net = mesh();
  const full = { ...memoryOutbox(), put: () => Promise.reject(new Error("disk full")) };
  const alice = await net.join({ outbox: full });
  await expect(alice.coordinator.submit({ goal: "g" }, submission("1"))).rejects.toThrow("disk full");
  expect(alice.coordinator.list()).toEqual([]);
  expect(net.ledgers.log).toEqual([]);
});

it("makes one task of one key at two peers, even when neither could reach the ledger", async () => {
  await using net = mesh();
  const alice = await net.join();
  const bob = await net.join();
  net.ledgers.depose();
  const [a, b] = await Promise.all(
    [alice, bob].map((peer) => peer.coordinator.submit({ goal: "g" }, submission("1"))),
  );
  expect(a?.taskId).toBe(b?.taskId);
  net.ledgers.elect();
  await net.until(endedAt(alice, a!.taskId));
  await net.clock.advance(10_000);
  expect(alice.coordinator.list()).toHaveLength(1);
  expect(alice.executor.runs.length + bob.executor.runs.length).toBe(1);
  const submitted = (await eventsOf(alice, a!.taskId)).filter(({ type }) => type === "task-submitted");
  expect(submitted).toHaveLength(1);
  for (const peer of [alice, bob]) expect(await peer.components.outbox.list()).toEqual([]);
});

it("answers a repeated submission with the same task", async () => {
  await using net = mesh();
  const alice = await net.join();
  const first = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  await net.until(endedAt(alice, first.taskId));
  expect(await alice.coordinator.submit({ goal: "g" }, submission("1"))).toMatchObject({
    taskId: first.taskId,
    status: "committed",
  });
  expect(alice.executor.runs).toHaveLength(1);
});

it("refuses another task under a used key, at any peer", async () => {
  await using net = mesh();
  const alice = await net.join();
  const bob = await net.join();
  const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  const conflict = { code: "coordinator/conflict", detail: { taskId } };
  await expect(alice.coordinator.submit({ goal: "other" }, submission("1"))).rejects.toMatchObject(conflict);
  await expect(bob.coordinator.submit({ goal: "other" }, submission("1"))).rejects.toMatchObject(conflict);
});

it("refuses another task under a used key before the first one is on disk", async () => {
  await using net = mesh();
  const alice = await net.join();
  const [first, second] = await Promise.allSettled([
    alice.coordinator.submit({ goal: "g" }, submission("1")),
    alice.coordinator.submit({ goal: "other" }, submission("1")),
  ]);
  expect(first.status).toBe("fulfilled");
  expect(second).toMatchObject({ status: "rejected", reason: { code: "coordinator/conflict" } });
});

it("tells of a conflict that only the ledger could see, and offers the loser no more", async () => {
  await using net = mesh();
  const alice = await net.join();
  const bob = await net.join({ capacity: 0 });
  net.ledgers.depose();
  await alice.coordinator.submit({ goal: "first" }, submission("1"));
  await bob.coordinator.submit({ goal: "second" }, submission("1"));
  net.ledgers.elect();
  await net.until(() => bob.coordinator.list()[0]?.state === "completed");
  await net.clock.advance(10_000);
  for (const peer of [alice, bob]) expect(await peer.components.outbox.list()).toEqual([]);
  const [kept] = bob.coordinator.list();
  const loser = kept?.spec.goal === "first" ? bob : alice;
  expect(
    loser.tap.calls.some(({ port, text }) => port === "log" && /lost its key|not ordered/.test(text)),
  ).toBe(true);
});

it("cancels a pending task in order: task first, cancellation second", async () => {
  await using net = mesh();
  const alice = await net.join({ capacity: 0 });
  net.ledgers.depose();
  const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  await expect(alice.coordinator.cancel(taskId, { reason: "", signal })).rejects.toMatchObject({
    retryable: true,
  });
  net.ledgers.elect();
  expect(await alice.coordinator.cancel(taskId, { reason: "", signal })).toMatchObject({ canceled: true });
  expect((await eventsOf(alice, taskId)).map(({ type }) => type)).toEqual([
    "task-submitted",
    "task-canceled",
  ]);
});

it("refuses a task that carries a secret, names the field, and keeps nothing of it", async () => {
  await using net = mesh();
  const alice = await net.join();
  const input = { goal: "g", commands: [{ run: "true" }, { run: `curl -H "token: ${SECRET}"` }] };
  await expect(alice.coordinator.submit(input, submission("1"))).rejects.toMatchObject({
    code: "coordinator/invalid-task",
    detail: { errors: [{ pointer: "/commands/1/run", detail: "holds what looks like a secret (canary)" }] },
  });
  expect(net.ledgers.log).toEqual([]);
  expect(alice.tap.calls).toEqual([]);
});
