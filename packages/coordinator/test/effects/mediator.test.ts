import { describe, expect, it } from "vitest";
import { decodeCommand } from "../../src/command.ts";
import type { EffectRecord } from "../../src/contract-effects.ts";
import {
  CLUSTER,
  endedAt,
  eventsOf,
  type Member,
  type MemberOptions,
  type Mesh,
  mesh,
  SECRET,
  signal,
  submission,
  typesOf,
  viewOf,
} from "../fixtures/mesh.ts";
import { leaving, RefusedByTarget, slot, type Target, target, task } from "./target.ts";

const capabilities = ["isolation:simulated", "effect:http"];

interface Worker extends MemberOptions {
  readonly text?: string;
}

const worker = (world: Target, { text, ...options }: Worker = {}): MemberOptions => ({
  capabilities,
  effectors: [world.effector()],
  script: leaving(text),
  ...options,
});

/** Takes tasks in and watches; runs none and has no effector. */
const entry = (net: Mesh): Promise<Member> => net.join({ capacity: 0, capabilities: [] });

/** A worker that stands still once it has its permit, before the look that comes next. */
async function joinFrozenAtPermit(net: Mesh, world: Target, options: Worker = {}): Promise<Member> {
  let member: Member | undefined;
  const onPropose = (command: Uint8Array): void => {
    const frozen = member;
    if (frozen !== undefined && typeOf(command) === "effect-intent") queueMicrotask(() => freeze(frozen));
  };
  member = await net.join(worker(world, { ...options, onPropose }));
  return member;
}

const effectsOf = (member: Member, id: string): readonly EffectRecord[] => viewOf(member, id).effects ?? [];
const statesOf = (member: Member, id: string): string[] => effectsOf(member, id).map(({ state }) => state);
const counts = (world: Target): number[] => [...world.made.values()];

/** What a peer proposes about its tasks, by type. */
const typeOf = (command: Uint8Array): string => decodeCommand(command, CLUSTER)?.command.type ?? "read";

describe.each([{ reads: false }, { reads: true }] as const)(
  "a declared effect, reads $reads",
  ({ reads }) => {
    it("is asked for, permitted, made and told, before the task is complete", async () => {
      await using net = mesh();
      using world = target();
      const alice = await entry(net);
      await net.join(worker(world, { reads }));
      const { taskId } = await alice.coordinator.submit(task, submission("1"));
      expect(await net.until(endedAt(alice, taskId))).toMatchObject({ state: "completed", attempt: 1 });
      const [effect] = effectsOf(alice, taskId);
      expect(effect).toMatchObject({
        state: "done",
        slot: "tell",
        ordinal: 0,
        receipt: { reference: `of ${effect?.key}` },
      });
      const types = await typesOf(alice, taskId);
      expect(types.filter((type) => type.startsWith("effect-") || type === "task-completed")).toEqual([
        "effect-permitted",
        "effect-done",
        "task-completed",
      ]);
      // Nobody was there before: there is nothing to look for.
      expect(world.calls).toEqual(["act"]);
      expect(world.bodies).toEqual(["hello"]);
    });

    const moments = ["effect-intent", reads ? "read" : "task-renew", "effect-receipt", "task-complete"];

    it.each(moments)("is made once when the worker dies at its %s", (at) =>
      stoppedAt({ reads, at, stops: (bob) => bob.kill() }),
    );

    it.each(moments)("is made once when the worker stands still at its %s, and then goes on", (at) =>
      stoppedAt({ reads, at, stops: freeze, wakes: thaw }),
    );

    it.each(["before", "after"] as const)(
      "is made once when the worker dies %s it happens",
      async (moment) => {
        await using net = mesh();
        using world = target();
        const frozen = world.stop();
        world[moment] = () => frozen.here();
        const alice = await entry(net);
        const bob = await net.join(worker(world, { reads, text: "first" }));
        const { taskId } = await alice.coordinator.submit(task, submission("1"));
        await net.until(() => world.calls.includes("act"));
        await frozen.reached;
        world[moment] = () => undefined;
        bob.kill();
        await net.join(worker(world, { reads, text: "second" }));
        expect(await net.until(endedAt(alice, taskId))).toMatchObject({ state: "completed", attempt: 2 });
        expect(counts(world)).toEqual([1]);
        // The successor looked first; what the predecessor had done stays as it was.
        expect(world.calls).toEqual(moment === "before" ? ["act", "resolve", "act"] : ["act", "resolve"]);
        expect(world.bodies).toEqual([moment === "before" ? "second" : "first"]);
        expect(effectsOf(alice, taskId)[0]?.earlier).toHaveLength(1);
        // A frozen predecessor that goes on now is one too late.
        frozen.wake();
        await net.clock.advance(1000);
        expect(counts(world)).toEqual([1]);
      },
    );

    it("is not made by a holder that was replaced between permit and act", async () => {
      await using net = mesh();
      using world = target();
      const alice = await entry(net);
      const bob = await joinFrozenAtPermit(net, world, { reads });
      const { taskId } = await alice.coordinator.submit(task, submission("1"));
      await net.until(() => statesOf(alice, taskId)[0] === "permitted");
      await net.join(worker(world, { reads, text: "second" }));
      await net.until(endedAt(alice, taskId));
      expect(world.bodies).toEqual(["second"]);
      thaw(bob);
      await net.clock.advance(5000);
      expect(world.calls.filter((call) => call === "act")).toHaveLength(1);
      expect(counts(world)).toEqual([1]);
    });
  },
);

function freeze(member: Member): void {
  member.ledger.mute = true;
  member.ledger.deaf = true;
}

function thaw(member: Member): void {
  member.ledger.deaf = false;
  member.ledger.mute = false;
}

interface Stopping {
  readonly reads: boolean;
  /** What the worker is about to have ordered; of renewals the one that is its look before the act. */
  readonly at: string;
  readonly stops: (worker: Member) => void;
  readonly wakes?: (worker: Member) => void;
}

/** Stops a worker at a proposal; another one finishes; then the first may go on. */
async function stoppedAt({ reads, at, stops, wakes }: Stopping): Promise<void> {
  await using net = mesh();
  using world = target();
  const alice = await entry(net);
  let bob: Member | undefined;
  let intended = false;
  let stopped = false;
  const onPropose = (command: Uint8Array): void => {
    const type = typeOf(command);
    intended ||= type === "effect-intent";
    if (bob === undefined || stopped || !intended || type !== at) return;
    stopped = true;
    stops(bob);
  };
  bob = await net.join(worker(world, { reads, onPropose, text: "first" }));
  const { taskId } = await alice.coordinator.submit(task, submission("1"));
  await net.until(() => stopped);
  await net.join(worker(world, { reads, text: "second" }));
  expect(await net.until(endedAt(alice, taskId))).toMatchObject({ state: "completed", attempt: 2 });
  wakes?.(bob);
  await net.clock.advance(10_000);
  expect([counts(world), statesOf(alice, taskId)]).toEqual([[1], ["done"]]);
  const ends = (await typesOf(alice, taskId)).filter(
    (type) => type === "task-completed" || type === "effect-done",
  );
  expect(ends).toEqual(["effect-done", "task-completed"]);
}

describe("a target that cannot be asked", () => {
  it("is repeated under the same key where it promises that this is one effect", async () => {
    await using net = mesh();
    using world = target();
    world.sight = "repeatable";
    const frozen = world.stop();
    world.before = () => frozen.here();
    const alice = await entry(net);
    const bob = await net.join(worker(world));
    const { taskId } = await alice.coordinator.submit(task, submission("1"));
    await net.until(() => world.calls.includes("act"));
    world.before = () => undefined;
    bob.kill();
    await net.join(worker(world));
    await net.until(endedAt(alice, taskId));
    expect(world.calls).toEqual(["act", "resolve", "act"]);
    expect([...world.made.keys()]).toEqual([effectsOf(alice, taskId)[0]?.key]);
  });

  /** A worker acted and died; nobody can tell. */
  async function uncertain(
    net: Mesh,
    world: Target,
  ): Promise<{ alice: Member; taskId: string; key: string }> {
    world.sight = "unknown";
    const frozen = world.stop();
    world.after = () => frozen.here();
    const alice = await entry(net);
    const bob = await net.join(worker(world));
    const { taskId } = await alice.coordinator.submit(task, submission("1"));
    await net.until(() => world.made.size === 1);
    world.after = () => undefined;
    bob.kill();
    await net.join(worker(world));
    await net.until(() => viewOf(alice, taskId).state === "input-required");
    const [effect] = effectsOf(alice, taskId);
    return { alice, taskId, key: effect?.key ?? "" };
  }

  it("is never repeated blindly: the task waits for a person, without a lease", async () => {
    await using net = mesh();
    using world = target();
    const { alice, taskId } = await uncertain(net, world);
    await net.clock.advance(60_000);
    expect(viewOf(alice, taskId)).toMatchObject({ state: "input-required" });
    expect(viewOf(alice, taskId).lease).toBeUndefined();
    expect(effectsOf(alice, taskId)).toMatchObject([{ state: "uncertain", reason: "nobody can see it" }]);
    expect(counts(world)).toEqual([1]);
  });

  it.each([
    ["done", "completed", 1, "done"],
    ["repeat", "completed", 2, "done"],
    ["abandon", "failed", 1, "void"],
  ] as const)("goes on when a person says %s", async (decision, state, made, effect) => {
    await using net = mesh();
    using world = target();
    const { alice, taskId, key } = await uncertain(net, world);
    const options = { key, decision, reason: "I looked", signal };
    expect(await alice.coordinator.decideEffect(taskId, options)).toMatchObject({ applied: true });
    expect(await net.until(endedAt(alice, taskId))).toMatchObject({ state });
    expect(counts(world)).toEqual([made]);
    expect(statesOf(alice, taskId)).toEqual([effect]);
    // Decided is decided.
    expect(await alice.coordinator.decideEffect(taskId, options)).toMatchObject({ applied: false });
  });

  it("is left alone while it is down, and looked at again by the next attempt", async () => {
    await using net = mesh();
    using world = target();
    const frozen = world.stop();
    world.after = () => frozen.here();
    const alice = await entry(net);
    const bob = await net.join(worker(world));
    const { taskId } = await alice.coordinator.submit(task, submission("1"));
    await net.until(() => world.made.size === 1);
    world.after = () => undefined;
    world.sight = "down";
    bob.kill();
    await net.join(worker(world));
    await net.until(() => viewOf(alice, taskId).attempt === 2);
    await net.until(() => world.calls.includes("resolve"));
    world.sight = "truth";
    expect(await net.until(endedAt(alice, taskId))).toMatchObject({ state: "completed" });
    expect(counts(world)).toEqual([1]);
  });
});

describe("an act that fails", () => {
  it("after it happened is seen by a look, and the attempt goes on", async () => {
    await using net = mesh();
    using world = target();
    world.after = () => {
      throw new Error("the line was cut");
    };
    const alice = await entry(net);
    await net.join(worker(world));
    const { taskId } = await alice.coordinator.submit(task, submission("1"));
    expect(await net.until(endedAt(alice, taskId))).toMatchObject({ state: "completed", attempt: 1 });
    expect(world.calls).toEqual(["act", "resolve"]);
  });

  it("before it happened is made by a later attempt, and the reason says what was wrong, without secrets", async () => {
    await using net = mesh();
    using world = target();
    let failures = 0;
    world.before = () => {
      if (failures++ === 0) throw new Error(`no way with ${SECRET}`);
    };
    const alice = await entry(net);
    await net.join(worker(world));
    const { taskId } = await alice.coordinator.submit(task, submission("1"));
    expect(await net.until(endedAt(alice, taskId))).toMatchObject({ state: "completed", attempt: 2 });
    const released = (await eventsOf(alice, taskId)).find(({ type }) => type === "task-released");
    expect(released).toMatchObject({
      reason: {
        code: "coordinator/effect-failed",
        message: "the effect tell was not made: no way with [hidden]",
      },
    });
    expect(counts(world)).toEqual([1]);
  });

  it("because the target refused is void, asked for anew, and bounded by the attempts", async () => {
    await using net = mesh();
    using world = target();
    // Nobody could tell afterwards: only the target's own word makes the next attempt possible.
    world.sight = "unknown";
    world.before = () => {
      throw new RefusedByTarget("frozen for release");
    };
    const alice = await entry(net);
    await net.join(worker(world));
    const { taskId } = await alice.coordinator.submit({ ...task, attempts: 2 }, submission("1"));
    expect(await net.until(endedAt(alice, taskId))).toMatchObject({
      state: "dead-letter",
      reason: { message: "the effect tell was not made: frozen for release" },
    });
    expect(statesOf(alice, taskId)).toEqual(["void"]);
    expect(world.calls).toEqual(["act", "act"]);
  });
});

describe("what is declared", () => {
  it("is made in the slots' order, a file each, with the part that the patterns share", async () => {
    await using net = mesh();
    using world = target();
    const targets: string[] = [];
    world.before = ({ target, ordinal }) => void targets.push(`${target} ${ordinal}`);
    const alice = await entry(net);
    const script = leaving();
    const { succeeded } = await import("../../src/testing/index.ts");
    const files = { "out/b.txt": "b", "out/a.txt": "a", "message.json": "m" };
    await net.join(worker(world, { script: async () => succeeded(files) }));
    const many = { ...slot, slot: "many", times: 3, target: "https://shop.example/*", payload: "out/*.txt" };
    const { taskId } = await alice.coordinator.submit({ goal: "g", effects: [many, slot] }, submission("1"));
    await net.until(endedAt(alice, taskId));
    expect(script).toBeDefined();
    expect(targets).toEqual([
      "https://shop.example/a 0",
      "https://shop.example/b 1",
      "https://shop.example/orders 0",
    ]);
    expect(new Set(effectsOf(alice, taskId).map(({ key }) => key)).size).toBe(3);
  });

  it("fails as a whole, before anything is made, when the run did not leave what it needs", async () => {
    await using net = mesh();
    using world = target();
    const alice = await entry(net);
    await net.join(worker(world));
    const missing = { ...slot, slot: "missing", payload: "missing.json" };
    const spec = { goal: "g", attempts: 1, effects: [slot, missing] };
    const { taskId } = await alice.coordinator.submit(spec, submission("1"));
    expect(await net.until(endedAt(alice, taskId))).toMatchObject({
      state: "dead-letter",
      reason: { message: "the effect missing was not made: the run left no clean file missing.json" },
    });
    expect(world.calls).toEqual([]);
  });

  it("is not made with a file that holds a secret", async () => {
    await using net = mesh();
    using world = target();
    const alice = await entry(net);
    await net.join(worker(world, { text: `the word is ${SECRET}` }));
    const { taskId } = await alice.coordinator.submit({ ...task, attempts: 1 }, submission("1"));
    expect(await net.until(endedAt(alice, taskId))).toMatchObject({ state: "dead-letter" });
    expect(world.calls).toEqual([]);
  });

  it("is not made when the run itself failed", async () => {
    await using net = mesh();
    using world = target();
    const alice = await entry(net);
    const script = async () => ({ ...(await leaving()()), outcome: "failed", reason: "red tests" }) as const;
    await net.join(worker(world, { script }));
    const { taskId } = await alice.coordinator.submit(task, submission("1"));
    expect(await net.until(endedAt(alice, taskId))).toMatchObject({ state: "failed" });
    expect(world.calls).toEqual([]);
  });

  it("is worked on by peers with the effector only", async () => {
    await using net = mesh();
    using world = target();
    const alice = await entry(net);
    const bob = await net.join({ capabilities: ["isolation:simulated"] });
    const { taskId } = await alice.coordinator.submit(task, submission("1"));
    await net.clock.advance(5000);
    expect(viewOf(alice, taskId).state).toBe("ready");
    await net.join(worker(world));
    await net.until(endedAt(alice, taskId));
    expect(bob.executor.runs).toEqual([]);
    expect(counts(world)).toEqual([1]);
  });

  it("is settled also where a later attempt does not want it any more", async () => {
    await using net = mesh();
    using world = target();
    const { succeeded } = await import("../../src/testing/index.ts");
    const many = { ...slot, times: 2, target: "https://shop.example/*", payload: "out/*" };
    const frozen = world.stop();
    world.after = ({ ordinal }) => (ordinal === 1 ? frozen.here() : undefined);
    const alice = await entry(net);
    const bob = await net.join(
      worker(world, { script: async () => succeeded({ "out/a": "a", "out/b": "b" }) }),
    );
    const { taskId } = await alice.coordinator.submit({ goal: "g", effects: [many] }, submission("1"));
    await net.until(() => world.made.size === 2);
    bob.kill();
    await net.join(worker(world, { script: async () => succeeded({ "out/a": "a" }) }));
    expect(await net.until(endedAt(alice, taskId))).toMatchObject({ state: "completed", attempt: 2 });
    expect(statesOf(alice, taskId)).toEqual(["done", "done"]);
    expect(counts(world)).toEqual([1, 1]);
  });
});

describe("an effect that a person has to agree to", () => {
  const asked = { ...task, effects: [{ ...slot, approval: "human" }] };

  async function waiting(net: Mesh, world: Target) {
    const alice = await entry(net);
    const bob = await net.join(worker(world, { text: "first" }));
    const { taskId } = await alice.coordinator.submit(asked, submission("1"));
    await net.until(() => viewOf(alice, taskId).state === "input-required");
    const key = effectsOf(alice, taskId)[0]?.key ?? "";
    return { alice, bob, taskId, key };
  }

  it("waits under its lease, and is made when the person says so", async () => {
    await using net = mesh();
    using world = target();
    const { alice, taskId, key } = await waiting(net, world);
    await net.clock.advance(60_000);
    expect(world.calls).toEqual([]);
    expect(viewOf(alice, taskId)).toMatchObject({ state: "input-required", attempt: 1 });
    await alice.coordinator.decideEffect(taskId, { key, decision: "repeat", reason: "yes", signal });
    expect(await net.until(endedAt(alice, taskId))).toMatchObject({ state: "completed", attempt: 1 });
    expect(world.bodies).toEqual(["first"]);
  });

  it("is not made, and the task fails, when the person says no", async () => {
    await using net = mesh();
    using world = target();
    const { alice, taskId, key } = await waiting(net, world);
    await alice.coordinator.decideEffect(taskId, { key, decision: "abandon", reason: "no", signal });
    expect(await net.until(endedAt(alice, taskId))).toMatchObject({
      state: "failed",
      reason: { message: "no" },
    });
    expect([world.calls, statesOf(alice, taskId)]).toEqual([[], ["void"]]);
  });

  it("is asked for anew when another attempt would send other bytes, and looked for before", async () => {
    await using net = mesh();
    using world = target();
    const { alice, bob, taskId, key } = await waiting(net, world);
    const frozen = world.stop();
    world.before = () => frozen.here();
    await alice.coordinator.decideEffect(taskId, { key, decision: "repeat", reason: "yes", signal });
    await net.until(() => world.calls.includes("act"));
    world.before = () => undefined;
    bob.kill();
    await net.join(worker(world, { text: "second" }));
    await net.until(
      () => viewOf(alice, taskId).attempt === 2 && viewOf(alice, taskId).state === "input-required",
    );
    expect(world.bodies).toEqual([]);
    await alice.coordinator.decideEffect(taskId, { key, decision: "repeat", reason: "this too", signal });
    expect(await net.until(endedAt(alice, taskId))).toMatchObject({ state: "completed" });
    expect(world.calls).toEqual(["act", "resolve", "act"]);
    expect(world.bodies).toEqual(["second"]);
  });
});

describe("a task that ends while its effect is open", () => {
  async function canceledAt(net: Mesh, world: Target, moment: "before" | "after") {
    const frozen = world.stop();
    world[moment] = () => frozen.here();
    const alice = await entry(net);
    const bob = await net.join(worker(world));
    const { taskId } = await alice.coordinator.submit(task, submission("1"));
    await net.until(() => world.calls.includes("act"));
    const canceled = await alice.coordinator.cancel(taskId, { reason: "enough", signal });
    expect(canceled).toMatchObject({ canceled: true, boundary: "after-effect" });
    return { alice, bob, taskId, frozen };
  }

  it.each([
    ["before", "truth", "void"],
    ["after", "truth", "done"],
    ["after", "repeatable", "uncertain"],
    ["after", "unknown", "uncertain"],
  ] as const)(
    "and was stopped %s it happened, of which one sees %s, is said to be %s",
    async (moment, sight, state) => {
      await using net = mesh();
      using world = target();
      const { alice, bob, taskId } = await canceledAt(net, world, moment);
      world.sight = sight;
      bob.kill();
      // Not the entry peer: it has no effector. Whoever has one looks, also one that comes later.
      await net.join(worker(world));
      await net.until(() => statesOf(alice, taskId)[0] === state);
      expect(viewOf(alice, taskId).state).toBe("canceled");
      expect(counts(world)).toEqual(moment === "after" ? [1] : []);
    },
  );

  it("is told by the holder itself when it finishes late, and a receipt beats every guess", async () => {
    await using net = mesh();
    using world = target();
    const { alice, bob, taskId, frozen } = await canceledAt(net, world, "before");
    freeze(bob);
    await net.join(worker(world));
    await net.until(() => statesOf(alice, taskId)[0] === "void");
    // The zombie wakes up inside its act: no permit check can reach it there.
    frozen.wake();
    thaw(bob);
    await net.until(() => statesOf(alice, taskId)[0] === "done");
    expect(counts(world)).toEqual([1]);
  });

  it("before a person agreed leaves nothing open", async () => {
    await using net = mesh();
    using world = target();
    const alice = await entry(net);
    await net.join(worker(world));
    const spec = { ...task, effects: [{ ...slot, approval: "human" }] };
    const { taskId } = await alice.coordinator.submit(spec, submission("1"));
    await net.until(() => viewOf(alice, taskId).state === "input-required");
    await alice.coordinator.cancel(taskId, { reason: "enough", signal });
    await net.until(() => statesOf(alice, taskId)[0] === "void");
    expect(world.calls).toEqual([]);
  });

  it("is asked again until its target answers", async () => {
    await using net = mesh();
    using world = target();
    const { alice, bob, taskId } = await canceledAt(net, world, "after");
    world.sight = "down";
    bob.kill();
    await net.join(worker(world));
    await net.clock.advance(120_000);
    expect(statesOf(alice, taskId)).toEqual(["permitted"]);
    world.sight = "truth";
    await net.until(() => statesOf(alice, taskId)[0] === "done");
  });
});

describe("a pause", () => {
  it("between permit and act holds the act back until it is over", async () => {
    await using net = mesh();
    using world = target();
    const alice = await entry(net);
    const bob = await joinFrozenAtPermit(net, world);
    const { taskId } = await alice.coordinator.submit(task, submission("1"));
    await net.until(() => statesOf(alice, taskId)[0] === "permitted");
    expect(await alice.coordinator.pause(taskId, { reason: "wait", signal })).toMatchObject({
      applied: true,
    });
    thaw(bob);
    await net.clock.advance(30_000);
    expect(world.calls).toEqual([]);
    await alice.coordinator.resume(taskId, { signal });
    expect(await net.until(endedAt(alice, taskId))).toMatchObject({ state: "completed", attempt: 1 });
    expect(counts(world)).toEqual([1]);
  });
});
