import { expect, it } from "vitest";
import { decodeCommand } from "../src/command.ts";
import { waitMsOf } from "../src/core/backoff.ts";
import { succeeded } from "../src/testing/index.ts";
import { Turns } from "../src/turns.ts";
import {
  CLUSTER,
  endedAt,
  eventsOf,
  gate,
  type Mesh,
  mesh,
  signal,
  submission,
  through,
  viewOf,
} from "./fixtures/mesh.ts";

it("waits longer after each failure, alike at every peer, never above the limit", () => {
  const token = { term: 3, index: 77 };
  for (let index = 1; index < 500; index++) {
    const waits = [1, 2, 3, 20].map((failures) => waitMsOf(undefined, failures, { term: 1, index }));
    for (const [n, whole] of [1000, 2000, 4000, 60_000].entries()) {
      expect(waits[n]).toBeGreaterThanOrEqual(whole / 2);
      expect(waits[n]).toBeLessThanOrEqual(whole);
    }
  }
  expect(waitMsOf(undefined, 1, token)).toBe(waitMsOf(undefined, 1, { ...token }));
  const spread = new Set(
    Array.from({ length: 100 }, (_, index) => waitMsOf(undefined, 1, { term: 1, index })),
  );
  expect(spread.size).toBeGreaterThan(80);
  expect(waitMsOf({ firstMs: 10, factor: 1, maxMs: 10 }, 9, token)).toBeLessThanOrEqual(10);
});

it("lets the wait pass before it tries again, and says how long it is", async () => {
  await using net = mesh();
  const times: number[] = [];
  const alice = await net.join({
    script: async () => {
      times.push(net.clock.monotonic());
      throw new Error("no sandbox");
    },
  });
  const backoff = { firstMs: 10_000, factor: 3, maxMs: 60_000 };
  const { taskId } = await alice.coordinator.submit({ goal: "g", backoff }, submission("1"));
  await net.until(endedAt(alice, taskId));
  const waits = (await eventsOf(alice, taskId)).flatMap((event) =>
    event.type === "task-released" ? [event.waitMs] : [],
  );
  expect(waits).toHaveLength(2);
  expect(waits[0]).toBeGreaterThanOrEqual(5000);
  expect(waits[1]).toBeGreaterThanOrEqual(15_000);
  for (const [n, waitMs] of waits.entries()) {
    expect(times[n + 1]! - times[n]!).toBeGreaterThanOrEqual(waitMs);
    expect(times[n + 1]! - times[n]!).toBeLessThan(waitMs + 1000);
  }
});

it("does not let the next peer wait for one that stopped or died", async () => {
  await using net = mesh();
  const alice = await net.join({ capacity: 0 });
  const bob = await net.join({
    script: async (_task, { signal: stop }) => {
      await through(gate().opened, stop);
      return succeeded();
    },
  });
  const backoff = { firstMs: 60_000 };
  const { taskId } = await alice.coordinator.submit({ goal: "g", backoff }, submission("1"));
  await net.until(() => viewOf(alice, taskId).state === "working");
  const carol = await net.join();
  await bob.coordinator[Symbol.asyncDispose]();
  const before = net.clock.monotonic();
  await net.until(() => carol.executor.runs.length === 1);
  expect(net.clock.monotonic() - before).toBeLessThan(5000);
});

it("claims what is more important first", async () => {
  await using net = mesh();
  const order: string[] = [];
  const alice = await net.join({ capacity: 0 });
  for (const [n, priority] of [0, 5, 9].entries())
    await alice.coordinator.submit({ goal: `${priority}`, priority }, submission(`${n}`));
  await net.join({
    claimStepMs: 0,
    script: async (task) => {
      order.push(task.spec.goal);
      return succeeded();
    },
  });
  await net.until(() => order.length === 3);
  expect(order).toEqual(["9", "5", "0"]);
});

it("expires a task whose deadline has passed, whoever works on it", async () => {
  await using net = mesh();
  let stopped: unknown;
  const alice = await net.join({ capacity: 0 });
  await net.join({
    script: async (_task, { signal: stop }) => {
      await through(gate().opened, stop).catch((error: unknown) => {
        stopped = error;
        throw error;
      });
      return succeeded();
    },
  });
  const deadline = net.clock.now() + 20_000;
  const { taskId } = await alice.coordinator.submit({ goal: "g", deadline }, submission("1"));
  await net.until(() => viewOf(alice, taskId).state === "working");
  await net.clock.advance(15_000);
  expect(viewOf(alice, taskId).state).toBe("working");
  const view = await net.until(() => {
    const now = viewOf(alice, taskId);
    return now.state === "expired" && now;
  });
  expect(view.reason?.code).toBe("coordinator/overdue");
  expect(net.clock.now()).toBeGreaterThanOrEqual(deadline);
  await net.until(() => stopped);
  expect(stopped).toMatchObject({ code: "coordinator/lease-lost" });
});

it("lets a task that is done by its deadline stay done", async () => {
  await using net = mesh();
  const alice = await net.join();
  const deadline = net.clock.now() + 60_000;
  const { taskId } = await alice.coordinator.submit({ goal: "g", deadline }, submission("1"));
  await net.until(endedAt(alice, taskId));
  await net.clock.advance(120_000);
  expect(viewOf(alice, taskId).state).toBe("completed");
});

it("says what a task waits for that nobody can run, until somebody comes who can", async () => {
  await using net = mesh();
  const alice = await net.join({ capacity: 0 });
  const spec = { goal: "g", requirements: { isolation: "container", language: "python" } };
  const { taskId } = await alice.coordinator.submit(spec, submission("1"));
  await net.until(() => viewOf(alice, taskId).waitingFor);
  expect(viewOf(alice, taskId).waitingFor).toEqual(["capacity"]);
  const bob = await net.join();
  await net.until(() => viewOf(alice, taskId).waitingFor?.[0] !== "capacity");
  await net.clock.advance(60_000);
  const lacking = { state: "ready", waitingFor: ["isolation:container"], attempt: 0 };
  expect(viewOf(alice, taskId)).toMatchObject(lacking);
  expect(bob.coordinator.list()).toMatchObject([lacking]);
  // It waits without a sound.
  const { length } = net.ledgers.log;
  await net.clock.advance(600_000);
  expect(net.ledgers.log).toHaveLength(length);
  await net.join({ capabilities: ["isolation:container", "language:*"] });
  expect(await net.until(endedAt(alice, taskId))).toMatchObject({ state: "completed" });
});

it("forgets what a peer offered that has left", async () => {
  await using net = mesh();
  const alice = await net.join({ capacity: 0 });
  const bob = await net.join({
    capabilities: ["language:python"],
    script: async (_task, { signal: stop }) => {
      await through(gate().opened, stop);
      return succeeded();
    },
  });
  const busy = await alice.coordinator.submit({ goal: "g" }, submission("1"));
  await net.until(() => viewOf(alice, busy.taskId).state === "working");
  const { taskId } = await alice.coordinator.submit(
    { goal: "g", requirements: { language: "python" } },
    submission("2"),
  );
  await net.clock.advance(2000);
  expect(viewOf(alice, taskId).waitingFor).toBeUndefined();
  bob.kill();
  await net.until(() => viewOf(alice, taskId).waitingFor?.includes("capacity"));
});

it.each(["asks", "hears"])(
  "keeps what a fenced attempt made as evidence, when its peer first %s again",
  async (first) => {
    await using net = mesh();
    const door = gate();
    const alice = await net.join({ capacity: 0 });
    const bob = await net.join({
      script: async (_task, { signal: stop }) => {
        await through(door.opened, stop);
        return succeeded({ "output.log": "bob's" });
      },
    });
    const { taskId } = await alice.coordinator.submit({ goal: "g" }, submission("1"));
    await net.until(() => viewOf(alice, taskId).state === "working");
    // Cut off with a minority: it hears nothing, nothing of it is ordered, and it works on.
    bob.ledger.deaf = true;
    bob.ledger.mute = true;
    door.open();
    await net.until(() => bob.tap.ports().includes("head"));
    const carol = await net.join({ script: async () => succeeded({ "output.log": "carol's" }) });
    await net.until(endedAt(alice, taskId));
    expect(viewOf(alice, taskId).superseded).toBeUndefined();
    if (first === "asks") bob.ledger.mute = false;
    else bob.ledger.deaf = false;
    await net.clock.advance(1000);
    bob.ledger.mute = false;
    bob.ledger.deaf = false;
    const [lost, ...more] = await net.until(() => viewOf(alice, taskId).superseded);
    expect(more).toEqual([]);
    expect(lost).toMatchObject({ by: bob.peer, token: { term: 1, index: 2 } });
    expect(net.store.has(lost!.cid)).toBe(true);
    expect(viewOf(alice, taskId).result?.decision.address).toContain(carol.peer);
    const types = (await eventsOf(alice, taskId)).map(({ type }) => type);
    expect(types.filter((type) => type === "task-completed")).toHaveLength(1);
    expect(types.at(-1)).toBe("task-superseded");
  },
);

it("lets one decision after the other into a lane of this peer", async () => {
  await using net = mesh();
  let inside = 0;
  let most = 0;
  const alice = await net.join({ capacity: 4 });
  const { records, storage } = alice.components;
  const decide = records.decide.bind(records);
  const putHead = storage.putHead.bind(storage);
  records.decide = async (...call) => {
    most = Math.max(most, ++inside);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    return decide(...call);
  };
  storage.putHead = async (...call) => {
    inside--;
    return putHead(...call);
  };
  const ids: string[] = [];
  for (let n = 0; n < 8; n++)
    ids.push((await alice.coordinator.submit({ goal: "g", name: "same" }, submission(`${n}`))).taskId);
  for (const id of ids) await net.until(endedAt(alice, id));
  expect(most).toBe(1);
});

it("gives turns in order, and passes over who gave up waiting", async () => {
  const turns = new Turns();
  const order: number[] = [];
  const first = await turns.take("lane", signal);
  const given = new AbortController();
  const second = turns.take("lane", given.signal);
  const third = turns.take("lane", signal).then((turn) => (order.push(3), turn));
  const other = await turns.take("another lane", signal);
  given.abort(new Error("no longer"));
  await expect(second).rejects.toThrow("no longer");
  expect(order).toEqual([]);
  first[Symbol.dispose]();
  (await third)[Symbol.dispose]();
  other[Symbol.dispose]();
  expect(order).toEqual([3]);
});

it("does not ask without end for a task that it is refused", async () => {
  await using net = mesh();
  const alice = await net.join({ capacity: 0 });
  const bob = await net.join();
  let refusals = 0;
  const propose = bob.ledger.propose.bind(bob.ledger);
  bob.ledger.propose = async (command, options) => {
    if (decodeCommand(command, CLUSTER)?.command.type !== "task-claim") return propose(command, options);
    refusals++;
    // As a machine of another version might.
    const answer = await propose(Uint8Array.of(0), options);
    return { ...answer, result: { status: "refused", refusal: "not-capable", state: "ready" } };
  };
  await alice.coordinator.submit({ goal: "g" }, submission("1"));
  await net.clock.advance(10_000);
  expect(refusals).toBeGreaterThan(1);
  expect(refusals).toBeLessThanOrEqual(11);
});

it("waits for its turn as long as the ledger takes, so that a busy one is not asked by all", async () => {
  const claimsAt = async (slow: boolean): Promise<number> => {
    await using net = mesh();
    let claims = 0;
    const members = await Promise.all([1, 2, 3].map((n) => net.join({ capacity: n === 1 ? 0 : 1 })));
    for (const { ledger } of members) {
      const propose = ledger.propose.bind(ledger);
      ledger.propose = async (command, options) => {
        if (decodeCommand(command, CLUSTER)?.command.type === "task-claim") claims++;
        if (slow) await net.clock.sleep(400, options);
        return propose(command, options);
      };
    }
    const [alice] = members;
    for (let n = 0; n < 12; n++) {
      const { taskId } = await submitted(net, alice!.coordinator.submit({ goal: "g" }, submission(`${n}`)));
      await net.until(endedAt(alice!, taskId));
    }
    return claims;
  };
  expect(await claimsAt(false)).toBe(12);
  // The first ones are asked for by two, until the pace is known.
  expect(await claimsAt(true)).toBeLessThanOrEqual(16);
});

async function submitted<T>(net: Mesh, answer: Promise<T>): Promise<T> {
  let done: T | undefined;
  void answer.then((value) => (done = value));
  return net.until(() => done);
}
