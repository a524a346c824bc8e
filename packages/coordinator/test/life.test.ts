import { decodeCanonical } from "@chorus/kernel";
import { expect, it } from "vitest";
import { decodeCommand } from "../src/command.ts";
import { succeeded } from "../src/testing/index.ts";
import {
  CLUSTER,
  endedAt,
  eventsOf,
  gate,
  mesh,
  signal,
  submission,
  through,
  viewOf,
} from "./fixtures/mesh.ts";

it("carries a task from one peer through another to a published decision", async () => {
  await using net = mesh();
  const alice = await net.join();
  const bob = await net.join({
    script: async (_task, { onOutput, onProgress }) => {
      onProgress({ phase: "command-started", message: "npm test", step: 0, steps: 1 });
      onOutput({ stream: "stdout", bytes: new TextEncoder().encode("ok\n") as never });
      return succeeded({ "report.json": "{}", "output.log": "ok\n", "changes.patch": "--- a\n" });
    },
  });
  const ack = await alice.coordinator.submit({ goal: "make it pass" }, submission("1"));
  expect(ack).toEqual({ taskId: ack.taskId, status: "committed", replicas: 2 });
  const view = await net.until(endedAt(alice, ack.taskId));

  expect(view).toMatchObject({ state: "completed", attempt: 1, entry: alice.peer, principal: "ada" });
  expect(alice.executor.runs).toEqual([]);
  expect(bob.executor.runs).toHaveLength(1);
  const events = await eventsOf(alice, ack.taskId);
  expect(events.map(({ type }) => type)).toEqual([
    "task-submitted",
    "task-claimed",
    "task-progressed",
    "task-completed",
  ]);
  expect(events.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
  expect(events[1]).toMatchObject({ by: bob.peer, attempt: 1, token: { term: 1, index: 2 } });
  await net.until(() => net.published.length === 1);
  expect(net.published).toEqual([
    {
      topic: "chorus/decisions",
      body: { address: `ucxl://default/${ack.taskId.slice(0, 48)}/agent/${bob.peer}/@v1` },
    },
  ]);
});

it("leaves work to another peer while there is one", async () => {
  await using net = mesh();
  const alice = await net.join();
  const bob = await net.join();
  for (let i = 0; i < 10; i++) {
    const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission(`${i}`));
    await net.until(endedAt(alice, taskId));
  }
  expect(alice.executor.runs).toEqual([]);
  expect(bob.executor.runs).toHaveLength(10);
});

it("orders what a run told before how it ended", async () => {
  await using net = mesh();
  const alice = await net.join({
    script: async (_task, { onProgress }) => {
      for (let step = 0; step < 5; step++)
        onProgress({ phase: "command-started", message: "m", step, steps: 5 });
      return succeeded();
    },
  });
  const propose = alice.ledger.propose.bind(alice.ledger);
  alice.ledger.propose = async (command, options) => {
    const turns = decodeCommand(command, CLUSTER)?.command.type === "task-progress" ? 20 : 0;
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
    return propose(command, options);
  };
  const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  await net.until(endedAt(alice, taskId));
  const steps = (await eventsOf(alice, taskId)).flatMap((event) =>
    event.type === "task-progressed" ? [event.step.step] : [],
  );
  expect(steps).toEqual([0, 1, 2, 3, 4]);
});

it("stores every artifact, the manifest and the record, and names their hashes in the ledger", async () => {
  await using net = mesh();
  const alice = await net.join({
    script: async () => succeeded({ "z.txt": "z", "output.log": "log", "report.json": "{}" }),
  });
  const { taskId } = await alice.coordinator.submit(
    { goal: "g", name: "fix-rounding", project: "demo" },
    submission("1"),
  );
  const { result } = await net.until(endedAt(alice, taskId));
  expect(result).toMatchObject({ outcome: "succeeded", artifactCount: 3, replicas: 2, degraded: false });
  expect(result?.artifacts.map(({ path }) => path)).toEqual(["report.json", "output.log", "z.txt"]);
  expect(result?.decision.address).toBe(`ucxl://demo/fix-rounding/agent/${alice.peer}/@v1`);
  for (const { cid, size } of result?.artifacts ?? []) expect(net.store.get(cid)).toHaveLength(size);
  for (const cid of [result!.decision.cid, result!.decision.signatures])
    expect(net.store.has(cid)).toBe(true);
  const manifest = decodeCanonical(net.store.get(result!.manifest)!);
  expect(manifest).toMatchObject({
    $type: "chorus.result/1",
    task: taskId,
    attempt: 1,
    outcome: "succeeded",
  });
});

it("says so when storage could not make the copies it aims at", async () => {
  await using net = mesh();
  net.degraded = true;
  const alice = await net.join();
  const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  const { result } = await net.until(endedAt(alice, taskId));
  expect(result).toMatchObject({ replicas: 1, degraded: true });
});

it("gives a race for one task a single winner", async () => {
  await using net = mesh();
  const peers = await Promise.all([
    net.join({ claimStepMs: 0 }),
    net.join({ claimStepMs: 0 }),
    net.join({ claimStepMs: 0 }),
  ]);
  const alice = peers[0];
  const ids: string[] = [];
  for (let i = 0; i < 20; i++)
    ids.push((await alice.coordinator.submit({ goal: "g" }, submission(`${i}`))).taskId);
  for (const id of ids) await net.until(endedAt(alice, id));
  const runs = peers.flatMap(({ executor }) => executor.runs.map(({ task }) => task));
  expect(runs.toSorted()).toEqual(ids.toSorted());
  for (const id of ids) expect(viewOf(alice, id)).toMatchObject({ state: "completed", attempt: 1 });
});

it("shows the same events at every peer, from any number on, to a late one too", async () => {
  await using net = mesh();
  const alice = await net.join();
  const bob = await net.join();
  const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  await net.until(endedAt(bob, taskId));
  const late = await net.join();
  const everywhere = await Promise.all([alice, bob, late].map((member) => eventsOf(member, taskId)));
  expect(everywhere[1]).toEqual(everywhere[0]);
  expect(everywhere[2]).toEqual(everywhere[0]);
  expect(await eventsOf(late, taskId, 3)).toEqual(everywhere[0]?.slice(2));
});

it("hands events out while they happen and ends with the task", async () => {
  await using net = mesh();
  const door = gate();
  const alice = await net.join({
    script: async (_task, { signal: stop }) => {
      await through(door.opened, stop);
      return succeeded();
    },
  });
  const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  const seen: string[] = [];
  const reading = (async () => {
    for await (const { type } of alice.coordinator.events(taskId, { signal })) seen.push(type);
  })();
  await net.until(() => seen.includes("task-progressed"));
  expect(seen).not.toContain("task-completed");
  door.open();
  await net.until(endedAt(alice, taskId));
  await reading;
  expect(seen.at(-1)).toBe("task-completed");
});

it("reports a run that failed as failed, with its decision", async () => {
  await using net = mesh();
  const alice = await net.join({
    script: async () => ({ ...succeeded(), outcome: "failed", reason: "1 of 7 tests failed" }),
  });
  const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  const view = await net.until(endedAt(alice, taskId));
  expect(view).toMatchObject({
    state: "failed",
    attempt: 1,
    reason: { code: "coordinator/run-failed", message: "1 of 7 tests failed" },
    result: { outcome: "failed", reason: "1 of 7 tests failed" },
  });
  expect(net.store.has(view.result!.decision.cid)).toBe(true);
});

it("leaves a task to a peer that offers what it requires", async () => {
  await using net = mesh();
  const alice = await net.join();
  const { taskId } = await alice.coordinator.submit(
    { goal: "g", requirements: { isolation: "container", language: "python" } },
    submission("1"),
  );
  await net.clock.advance(60_000);
  expect(viewOf(alice, taskId).state).toBe("ready");
  const bob = await net.join({ capabilities: ["isolation:container", "language:python"] });
  await net.until(endedAt(alice, taskId));
  expect(bob.executor.runs).toHaveLength(1);
});

it("runs no more than its capacity at once, and all in the end", async () => {
  await using net = mesh();
  let now = 0;
  let most = 0;
  const alice = await net.join({
    capacity: 2,
    script: async () => {
      most = Math.max(most, ++now);
      await net.clock.sleep(50);
      now--;
      return succeeded();
    },
  });
  const ids: string[] = [];
  for (let i = 0; i < 6; i++)
    ids.push((await alice.coordinator.submit({ goal: "g" }, submission(`${i}`))).taskId);
  for (const id of ids) await net.until(endedAt(alice, id));
  expect(most).toBe(2);
});

it("keeps to its capacity when it hears late of its own claims", async () => {
  await using net = mesh();
  let now = 0;
  let most = 0;
  const alice = await net.join({
    capacity: 1,
    lag: 20,
    script: async () => {
      most = Math.max(most, ++now);
      await net.clock.sleep(50);
      now--;
      return succeeded();
    },
  });
  const ids: string[] = [];
  for (let i = 0; i < 4; i++)
    ids.push((await alice.coordinator.submit({ goal: "g" }, submission(`${i}`))).taskId);
  for (const id of ids) await net.until(endedAt(alice, id));
  expect(most).toBe(1);
});

it("takes part without running anything at capacity 0", async () => {
  await using net = mesh();
  const alice = await net.join({ capacity: 0 });
  const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  await net.clock.advance(10_000);
  expect(viewOf(alice, taskId).state).toBe("ready");
  expect(alice.executor.runs).toEqual([]);
});

it("lists newest first, by state and page by page", async () => {
  await using net = mesh();
  const alice = await net.join({ capacity: 0 });
  const ids: string[] = [];
  for (let i = 0; i < 5; i++)
    ids.push((await alice.coordinator.submit({ goal: "g" }, submission(`${i}`))).taskId);
  const [newest, second, ...rest] = ids.toReversed();
  const page = alice.coordinator.list({ limit: 2 });
  expect(page.map(({ id }) => id)).toEqual([newest, second]);
  expect(alice.coordinator.list({ after: second! }).map(({ id }) => id)).toEqual(rest);
  await alice.coordinator.cancel(second!, { reason: "no", signal });
  expect(alice.coordinator.list({ state: "canceled" }).map(({ id }) => id)).toEqual([second]);
  expect(alice.coordinator.list({ state: "ready" })).toHaveLength(4);
});

it("knows no task by an id that names none", async () => {
  await using net = mesh();
  const alice = await net.join();
  expect(alice.coordinator.get("nonsense")).toBeUndefined();
  const unknown = { code: "coordinator/unknown-task" };
  await expect(alice.coordinator.cancel("nonsense", { reason: "", signal })).rejects.toMatchObject(unknown);
  await expect(
    alice.coordinator.events("a".repeat(52), { signal })[Symbol.asyncIterator]().next(),
  ).rejects.toMatchObject(unknown);
  await expect(
    alice.coordinator.output("x", { signal })[Symbol.asyncIterator]().next(),
  ).rejects.toMatchObject(unknown);
});

it("says of a run that says nothing itself that it has started", async () => {
  await using net = mesh();
  const door = gate();
  const alice = await net.join({
    script: async (_task, { signal: stop }) => {
      await through(door.opened, stop);
      return succeeded();
    },
  });
  const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  await net.until(() => viewOf(alice, taskId).state === "working");
  expect((await eventsOf(alice, taskId)).at(-1)).toMatchObject({
    step: { phase: "started", message: "attempt 1 of 3" },
  });
  door.open();
  await net.until(endedAt(alice, taskId));
});
