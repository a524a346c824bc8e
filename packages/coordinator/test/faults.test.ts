import { expect, it } from "vitest";
import { sealCommand } from "../src/command.ts";
import { succeeded } from "../src/testing/index.ts";
import {
  CLUSTER,
  endedAt,
  eventsOf,
  gate,
  type Member,
  type Mesh,
  mesh,
  signal,
  submission,
  through,
  typesOf,
  viewOf,
} from "./fixtures/mesh.ts";

/** Runs until it is let go or stopped. */
const waiting =
  (door: { opened: Promise<void> }) =>
  async (_task: unknown, { signal: stop }: { signal: AbortSignal }) => {
    await through(door.opened, stop);
    return succeeded();
  };

/** A peer that only asks, one that works for as long as it may, and its task. */
async function atWork(net: Mesh): Promise<{ alice: Member; bob: Member; taskId: string }> {
  const alice = await net.join({ capacity: 0 });
  const bob = await net.join({ script: waiting(gate()) });
  const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  await net.until(() => viewOf(alice, taskId).state === "working");
  return { alice, bob, taskId };
}

it("lets another peer finish when the holder dies, with exactly one commit", async () => {
  await using net = mesh();
  const { alice, bob, taskId } = await atWork(net);
  const carol = await net.join();
  bob.kill();
  const view = await net.until(endedAt(alice, taskId));
  expect(view).toMatchObject({ state: "completed", attempt: 2 });
  expect(carol.executor.runs).toEqual([{ task: taskId, attempt: 2 }]);
  expect((await typesOf(alice, taskId)).filter((type) => type === "task-completed")).toHaveLength(1);
  // The lost connection is news: nobody waits for the whole lease.
  const released = (await eventsOf(alice, taskId)).find(({ type }) => type === "task-released");
  expect(released).toMatchObject({ attempt: 1, reason: { code: "coordinator/holder-gone" } });
});

it("frees the task of a holder that hangs while it stays connected, when its lease lapses", async () => {
  await using net = mesh();
  const { alice, bob, taskId } = await atWork(net);
  const carol = await net.join();
  const before = net.clock.monotonic();
  bob.ledger.mute = true;
  await net.until(endedAt(alice, taskId));
  expect(carol.executor.runs).toHaveLength(1);
  expect(net.clock.monotonic() - before).toBeGreaterThan(4000);
});

it("keeps the lease of a holder that works for long", async () => {
  await using net = mesh();
  const door = gate();
  const alice = await net.join({ capacity: 0 });
  await net.join({ script: waiting(door) });
  await net.join();
  const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  await net.until(() => viewOf(alice, taskId).state === "working");
  await net.clock.advance(120_000);
  door.open();
  expect(await net.until(endedAt(alice, taskId))).toMatchObject({ state: "completed", attempt: 1 });
});

it("does not take the lease of a holder that only one peer has lost sight of", async () => {
  await using net = mesh();
  const door = gate();
  const alice = await net.join({ capacity: 0 });
  const bob = await net.join({ script: waiting(door) });
  const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  await net.until(() => viewOf(alice, taskId).state === "working");
  net.cut(alice, bob);
  await net.clock.advance(30_000);
  door.open();
  expect(await net.until(endedAt(alice, taskId))).toMatchObject({ state: "completed", attempt: 1 });
});

it("fences a zombie: what it finishes after its lease is not committed", async () => {
  await using net = mesh();
  const door = gate();
  const alice = await net.join({ capacity: 0 });
  const bob = await net.join({ script: waiting(door) });
  const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  await net.until(() => viewOf(alice, taskId).state === "working");
  const carol = await net.join();
  // Stopped: neither hears nor speaks, while its link stays up.
  bob.ledger.deaf = true;
  bob.ledger.mute = true;
  await net.until(endedAt(alice, taskId));
  const committed = viewOf(alice, taskId).result?.decision.address;
  expect(committed).toContain(carol.peer);
  // Continued: its run ends well, and it still believes in its lease.
  door.open();
  await net.until(() => bob.tap.ports().filter((port) => port === "storage").length === 4);
  bob.ledger.mute = false;
  await net.until(() =>
    bob.tap.calls.some(({ text }) => text.includes("fenced") || text.includes("given up")),
  );
  expect(viewOf(alice, taskId).result?.decision.address).toBe(committed);
  expect((await typesOf(alice, taskId)).filter((type) => type === "task-completed")).toHaveLength(1);
  expect(bob.tap.ports()).not.toContain("pubsub");
  expect(net.published).toHaveLength(1);
  bob.ledger.deaf = false;
});

it("runs the task of a worker that died elsewhere in less than a second", async () => {
  await using net = mesh();
  const { bob } = await atWork(net);
  const carol = await net.join();
  const before = net.clock.monotonic();
  bob.kill();
  await net.until(() => carol.executor.runs.length === 1);
  expect(net.clock.monotonic() - before).toBeLessThan(900);
});

it("carries on through a change of leader, under the same lease", async () => {
  await using net = mesh();
  const door = gate();
  const alice = await net.join({ capacity: 0 });
  await net.join({ script: waiting(door) });
  const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  await net.until(() => viewOf(alice, taskId).state === "working");
  net.ledgers.depose();
  door.open();
  // Longer than the lease: nobody may take it only because nobody could renew it.
  await net.clock.advance(8000);
  net.ledgers.elect();
  expect(await net.until(endedAt(alice, taskId))).toMatchObject({ state: "completed", attempt: 1 });
});

it("does not blame a live holder for a time without a leader", async () => {
  await using net = mesh();
  const door = gate();
  const alice = await net.join({ capacity: 0 });
  await net.join({ script: waiting(door) });
  const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  await net.until(() => viewOf(alice, taskId).state === "working");
  net.ledgers.depose();
  await net.clock.advance(30_000);
  net.ledgers.elect();
  await net.clock.advance(30_000);
  expect(viewOf(alice, taskId)).toMatchObject({ state: "working", attempt: 1 });
  door.open();
  await net.until(endedAt(alice, taskId));
});

it("gives strictly greater tokens to later claims, through changes of leader", async () => {
  await using net = mesh();
  const alice = await net.join({
    script: async () => {
      net.ledgers.elect();
      throw new Error("no sandbox");
    },
  });
  const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  await net.until(endedAt(alice, taskId));
  const tokens = (await eventsOf(alice, taskId)).flatMap((event) =>
    event.type === "task-claimed" ? [event.token] : [],
  );
  expect(tokens).toHaveLength(3);
  for (const [i, token] of tokens.entries())
    if (i > 0) expect(token.index > tokens[i - 1]!.index && token.term > tokens[i - 1]!.term).toBe(true);
});

it("stops after the attempts the task allows and says why", async () => {
  await using net = mesh();
  const alice = await net.join({
    script: async () => {
      throw new Error("no sandbox engine answers");
    },
  });
  const { taskId } = await alice.coordinator.submit({ goal: "g", attempts: 2 }, submission("1"));
  const view = await net.until(endedAt(alice, taskId));
  const reason = { code: "coordinator/attempt-failed", message: "no sandbox engine answers" };
  expect(view).toMatchObject({ state: "dead-letter", attempt: 2, reason });
  expect(alice.executor.runs).toHaveLength(2);
  expect((await typesOf(alice, taskId)).slice(-2)).toEqual(["task-claimed", "task-dead-lettered"]);
});

it("tries again elsewhere when a run says that another attempt may do better", async () => {
  await using net = mesh();
  const alice = await net.join({ capacity: 0 });
  const failing = async () =>
    ({ ...succeeded(), outcome: "failed", reason: "sandbox lost", retryable: true }) as const;
  const bob = await net.join({ script: failing });
  const { taskId } = await alice.coordinator.submit({ goal: "g", attempts: 2 }, submission("1"));
  const carol = await net.join();
  expect(await net.until(endedAt(alice, taskId))).toMatchObject({ state: "completed" });
  expect(carol.executor.runs).toHaveLength(1);
  expect(bob.executor.runs.length).toBeLessThanOrEqual(1);
});

it("stops a running task that is canceled, and commits nothing of it", async () => {
  await using net = mesh();
  let stopped: unknown;
  const alice = await net.join({ capacity: 0 });
  const bob = await net.join({
    script: async (_task, { signal: stop }) => {
      await through(new Promise(() => undefined), stop).catch((error: unknown) => {
        stopped = error;
        throw error;
      });
      return succeeded();
    },
  });
  const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  await net.until(() => viewOf(alice, taskId).state === "working");
  const answer = await alice.coordinator.cancel(taskId, { reason: "not needed", signal });
  expect(answer).toEqual({ taskId, canceled: true, state: "canceled", boundary: "at-once" });
  await net.until(() => stopped);
  expect(stopped).toMatchObject({ code: "coordinator/lease-lost" });
  expect(viewOf(alice, taskId)).toMatchObject({ state: "canceled", reason: { message: "not needed" } });
  expect(bob.tap.ports()).not.toContain("storage");
  // A second cancellation finds it done.
  expect(await alice.coordinator.cancel(taskId, { reason: "again", signal })).toMatchObject({
    canceled: true,
  });
});

it("cancels a task before anybody claims it", async () => {
  await using net = mesh();
  const alice = await net.join({ capacity: 0 });
  const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  await alice.coordinator.cancel(taskId, { reason: "", signal });
  const bob = await net.join();
  await net.clock.advance(10_000);
  expect(bob.executor.runs).toEqual([]);
  expect(viewOf(bob, taskId).state).toBe("canceled");
});

it("lets a commit that was ordered first win over a cancellation", async () => {
  await using net = mesh();
  const alice = await net.join();
  const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  await net.until(endedAt(alice, taskId));
  const answer = await alice.coordinator.cancel(taskId, { reason: "too late", signal });
  expect(answer).toEqual({ taskId, canceled: false, state: "completed" });
  expect((await typesOf(alice, taskId)).at(-1)).toBe("task-completed");
});

it("lets a cancellation that was ordered first win over a commit", async () => {
  await using net = mesh();
  const door = gate();
  const alice = await net.join({ capacity: 0 });
  const bob = await net.join({ script: waiting(door) });
  const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  await net.until(() => viewOf(alice, taskId).state === "working");
  bob.ledger.deaf = true;
  await alice.coordinator.cancel(taskId, { reason: "stop", signal });
  door.open();
  await net.until(() =>
    bob.tap.calls.some(({ text }) => text.includes("fenced") || text.includes("given up")),
  );
  expect(viewOf(alice, taskId).state).toBe("canceled");
  expect(net.published).toEqual([]);
  bob.ledger.deaf = false;
});

it("gives the leases of its former process back when it starts", async () => {
  await using net = mesh();
  const { alice, bob, taskId } = await atWork(net);
  const again = await bob.restart({ script: async () => succeeded() });
  expect(await net.until(endedAt(alice, taskId))).toMatchObject({ state: "completed", attempt: 2 });
  expect(again.executor.runs).toEqual([{ task: taskId, attempt: 2 }]);
  const released = (await eventsOf(alice, taskId)).find(({ type }) => type === "task-released");
  expect(released).toMatchObject({ reason: { code: "coordinator/holder-restarted" } });
});

it("gives its lease back when it is disposed", async () => {
  await using net = mesh();
  const { alice, bob, taskId } = await atWork(net);
  await bob.coordinator[Symbol.asyncDispose]();
  expect(viewOf(alice, taskId)).toMatchObject({ state: "ready", reason: { code: "coordinator/stopped" } });
});

it("commits once when the answer to the commit was lost", async () => {
  await using net = mesh();
  const alice = await net.join();
  const propose = alice.ledger.propose.bind(alice.ledger);
  let lost = 0;
  alice.ledger.propose = async (command, options) => {
    const answer = await propose(command, options);
    if (answer.result.status === "applied" && answer.result.state === "completed" && lost++ === 0)
      throw Object.assign(new Error("connection lost"), { retryable: true });
    return answer;
  };
  const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  await net.until(() => net.published.length === 1);
  expect(lost).toBe(2);
  expect(viewOf(alice, taskId).state).toBe("completed");
  expect((await typesOf(alice, taskId)).filter((type) => type === "task-completed")).toHaveLength(1);
});

it("reports a ledger entry that its sender did not sign", async () => {
  await using net = mesh();
  const alice = await net.join({ capacity: 0 });
  const bytes = await sealCommand(
    { type: "task-submit", principal: "eve", key: "1", spec: { goal: "g", project: "default", attempts: 1 } },
    { cluster: CLUSTER, signer: { peer: alice.peer, sign: async () => new Uint8Array(64) }, now: 1 },
  );
  await alice.ledger.propose(bytes, { signal });
  await net.until(() => alice.tap.calls.some(({ text }) => text.includes("not signed by its sender")));
});

it("goes on from the state when the ledger has put a snapshot in the place of entries", async () => {
  await using net = mesh();
  const join = net.ledgers.join.bind(net.ledgers);
  let jumped = 0;
  net.ledgers.join = () => {
    const ledger = join();
    const entries = ledger.entries.bind(ledger);
    ledger.entries = async function* ({ from, signal: stop }) {
      for await (const entry of entries({ from, signal: stop })) {
        // What it holds back was applied here all the same, as by a leader's snapshot.
        if (jumped === 0 && entry.index > 1) {
          while (viewOf(alice, first).state !== "completed") await net.clock.sleep(20, { signal: stop });
          jumped++;
          throw Object.assign(new Error("no longer there"), { code: "ledger/truncated" });
        }
        yield entry;
      }
    };
    return ledger;
  };
  const alice = await net.join({ capacity: 0 });
  net.ledgers.join = join;
  const { taskId: first } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  const seen: string[] = [];
  const reading = (async () => {
    for await (const { type } of alice.coordinator.events(first, { signal })) seen.push(type);
  })();
  await net.join();
  await net.until(() => jumped === 1 && seen.includes("task-completed"));
  await reading;
  const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("2"));
  await net.until(endedAt(alice, taskId));
});
