import { manualClock } from "@chorus/kernel/testing";
import { describe, expect, it } from "vitest";
import { memoryLogStore } from "../src/testing/index.ts";
import { ledger, type LogStore } from "../src/index.ts";
import { type PeerStream, silentLogger, systemClock } from "@chorus/kernel";
import { GENESIS } from "../src/chain.ts";
import { DiskFullError } from "../src/errors.ts";
import { encodeRequest, parseResponse, PROTOCOL } from "../src/wire.ts";
import { bytes, list, never, peers, setup, text, until } from "./fixtures/setup.ts";

describe("the admin's ledger", () => {
  it("applies proposals in order and answers with index, term and the machine's result", async () => {
    await using mesh = setup();
    mesh.leads.lead(peers[0]);
    const { log } = await mesh.join(0);
    expect(await log.propose(bytes("a"))).toEqual({ index: 1, term: 1, replicas: 1, result: 1 });
    const many = await Promise.all(["b", "c", "d"].map((command) => log.propose(bytes(command))));
    expect(many.map(({ index, result }) => [index, result])).toEqual([
      [2, 2],
      [3, 3],
      [4, 4],
    ]);
    expect(log.state()).toEqual(["a", "b", "c", "d"]);
    expect(log.appliedIndex()).toBe(4);
    expect(log.status()).toEqual({ mode: "live" });
  });
  it("writes at once, and gathers what comes while a write is under way", async () => {
    await using mesh = setup({ commitWindowMs: 3 });
    mesh.leads.lead(peers[0]);
    const store = memoryLogStore();
    const sizes: number[] = [];
    const gate = Promise.withResolvers<void>();
    const { log } = await mesh.join(0, {
      ...store,
      append: async (...call: Parameters<typeof store.append>) => {
        sizes.push(call[0].length);
        await gate.promise;
        await store.append(...call);
      },
    });
    const proposed = [log.propose(bytes("a"))];
    await until(() => sizes.length === 1);
    for (const name of ["b", "c", "d"]) proposed.push(log.propose(bytes(name)));
    gate.resolve();
    await Promise.all(proposed);
    expect(sizes.filter((size) => size > 0)).toEqual([1, 3]);
  });
  it("rebuilds its state from the log and goes on in the next term", async () => {
    await using mesh = setup();
    mesh.leads.lead(peers[0]);
    const first = await mesh.join(0);
    await Promise.all(Array.from({ length: 600 }, (_, i) => first.log.propose(bytes(`${i}`))));
    await first.kill();
    mesh.leads.lead(peers[0]);
    const { log } = await mesh.join(0, first.store);
    expect(log.state()).toEqual(Array.from({ length: 600 }, (_, i) => `${i}`));
    expect(await log.propose(bytes("next"))).toMatchObject({ index: 601, term: 2 });
  });
  it("gives entries from any index, live, until the signal", async () => {
    await using mesh = setup();
    mesh.leads.lead(peers[0]);
    const { log } = await mesh.join(0);
    await log.propose(bytes("a"));
    await log.propose(bytes("b"));
    const ending = new AbortController();
    const read = Array.fromAsync(log.entries({ from: 2, signal: ending.signal }), (entry) => {
      if (entry.index === 4) ending.abort();
      return [entry.index, entry.term, text(entry.command)];
    });
    const whole = Array.fromAsync(log.entries({ from: 1, signal: never }), ({ index }) => index);
    await log.propose(bytes("c"));
    await log.propose(bytes("d"));
    expect(await read).toEqual([
      [2, 1, "b"],
      [3, 1, "c"],
      [4, 1, "d"],
    ]);
    await log[Symbol.asyncDispose]();
    expect(await whole).toEqual([1, 2, 3, 4]);
    await expect(Array.fromAsync(log.entries({ from: 0, signal: never }))).rejects.toMatchObject({
      code: "kernel/invalid-input",
    });
  });
  it("refuses what is too large, badly named, cancelled or too late", async () => {
    await using mesh = setup();
    mesh.leads.lead(peers[0]);
    const { log } = await mesh.join(0);
    await expect(log.propose(new Uint8Array(16_385))).rejects.toMatchObject({ code: "ledger/too-large" });
    await expect(log.propose(bytes("a"), { id: "" })).rejects.toMatchObject({ code: "kernel/invalid-input" });
    const reason = new Error("no longer wanted");
    await expect(log.propose(bytes("a"), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await expect(log.waitFor(1, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(log.appliedIndex()).toBe(0);
    expect(await log.propose(new Uint8Array(16_384))).toMatchObject({ index: 1 });
    const waiting = log.waitFor(9, { signal: never });
    await log[Symbol.asyncDispose]();
    await expect(waiting).rejects.toMatchObject({ code: "ledger/closed" });
    await expect(log.propose(bytes("a"))).rejects.toMatchObject({ code: "ledger/closed", retryable: false });
    expect(log.status()).toEqual({ mode: "closed" });
  });
  it("appends a proposal once, however often and wherever it is repeated", async () => {
    await using mesh = setup();
    mesh.leads.lead(peers[0]);
    const admin = await mesh.join(0);
    const learner = await mesh.join(1);
    const id = "the one";
    const tries = [admin, learner, admin, learner].map(({ log }) => log.propose(bytes("a"), { id }));
    for (const { index, result } of await Promise.all(tries)) expect([index, result]).toEqual([1, 1]);
    await admin.log.propose(bytes("b"));
    expect(await admin.log.propose(bytes("a"), { id })).toMatchObject({ index: 1, result: 1 });
    expect(await learner.log.propose(bytes("a"), { id })).toMatchObject({ index: 1, result: 1 });
    for (const { log } of [admin, learner])
      await expect(log.propose(bytes("other"), { id })).rejects.toMatchObject({ detail: { path: "id" } });
    await admin.kill();
    mesh.leads.lead(peers[0]);
    const again = await mesh.join(0, admin.store);
    expect(await again.log.propose(bytes("a"), { id })).toMatchObject({ index: 1, term: 1, result: 1 });
    expect(again.log.state()).toEqual(["a", "b"]);
  });
  it("recognises a repetition only within the window", async () => {
    await using mesh = setup({ dedupWindow: 1024 });
    mesh.leads.lead(peers[0]);
    const { log } = await mesh.join(0);
    await log.propose(bytes("a"), { id: "old" });
    await Promise.all(Array.from({ length: 1023 }, () => log.propose(bytes("."))));
    expect(await log.propose(bytes("a"), { id: "old" })).toMatchObject({ index: 1 });
    await log.propose(bytes("."));
    expect(await log.propose(bytes("a"), { id: "old" })).toMatchObject({ index: 1026 });
  });
  it("appends what was admitted only, in the order in which it came", async () => {
    const gates = new Map(["a", "b"].map((name) => [name, Promise.withResolvers<void>()]));
    const asked: string[] = [];
    const admit = async (command: Uint8Array): Promise<void> => {
      asked.push(text(command));
      await gates.get(text(command))?.promise;
      if (text(command) === "bad") throw new DiskFullError();
      if (text(command) === "worse") throw new Error("no code");
    };
    await using mesh = setup({ admit });
    mesh.leads.lead(peers[0]);
    const admin = await mesh.join(0);
    const learner = await mesh.join(1);
    for (const { log } of [admin, learner]) {
      await expect(log.propose(bytes("bad"))).rejects.toMatchObject({
        code: "ledger/refused",
        retryable: false,
        detail: { reason: "ledger/disk-full" },
      });
      await expect(log.propose(bytes("worse"))).rejects.toMatchObject({ detail: { reason: "not admitted" } });
    }
    const proposed = ["a", "b", "c"].map((name) => admin.log.propose(bytes(name), { id: name }));
    await until(() => asked.length === 7);
    gates.get("b")?.resolve();
    expect(admin.log.state()).toEqual([]);
    gates.get("a")?.resolve();
    await Promise.all(proposed);
    expect(admin.log.state()).toEqual(["a", "b", "c"]);
    await admin.log.propose(bytes("a"), { id: "a" });
    expect(asked).toHaveLength(7);
  });
  it("waits for a leader, and says when none came", async () => {
    const clock = manualClock();
    await using mesh = setup({ clock });
    const { log } = await mesh.join(0);
    const waiting = log.propose(bytes("a"));
    mesh.leads.lead(peers[0]);
    expect(await waiting).toMatchObject({ index: 1 });
    mesh.leads.lead(undefined);
    const lost = expect(log.propose(bytes("b"))).rejects.toMatchObject({
      code: "ledger/no-leader",
      retryable: true,
    });
    await clock.advance(5000);
    await lost;
    expect(log.state()).toEqual(["a"]);
  });
  it("does not append in a term behind its log", async () => {
    const clock = manualClock();
    await using mesh = setup({ clock });
    const store = memoryLogStore();
    mesh.leads.lead(peers[0]);
    mesh.leads.lead(peers[0]);
    const first = await mesh.join(0, store);
    await first.log.propose(bytes("a"));
    await first.kill();
    await using other = setup({ clock });
    other.leads.lead(peers[0]);
    const { log } = await other.join(0, store);
    const refused = expect(log.propose(bytes("b"))).rejects.toMatchObject({ code: "ledger/no-leader" });
    await clock.advance(6000);
    await refused;
    expect(other.logs).toContain("admin's term is behind its own log");
    expect(await store.last()).toBe(1);
  });
  it("does not append for several voters where no terms are known", async () => {
    await using mesh = setup();
    mesh.leads.lead(peers[0]);
    const at = mesh.network.join({ peer: peers[2]!, sign: async () => new Uint8Array(64) });
    const leadership = {
      ...mesh.leads.of(peers[0]!),
      config: () => ({ voters: peers.map((peer) => ({ peer })) }),
    };
    const ports = { streams: at.streams, leadership, store: memoryLogStore(), machine: list };
    await using log = await ledger({ ...ports, clock: systemClock, logger: silentLogger });
    await expect(log.propose(bytes("a"))).rejects.toMatchObject({ code: "kernel/invalid-input" });
  });
});

describe("a disk that fails", () => {
  it("loses nothing when it is full, and takes the proposal later", async () => {
    await using mesh = setup();
    mesh.leads.lead(peers[0]);
    const store = memoryLogStore();
    let full = true;
    const small = {
      ...store,
      append: (...call: Parameters<typeof store.append>) =>
        full ? Promise.reject(new DiskFullError()) : store.append(...call),
    };
    const { log } = await mesh.join(0, small);
    const learner = await mesh.join(1);
    for (const one of [log, learner.log])
      await expect(one.propose(bytes("a"))).rejects.toMatchObject({
        code: "ledger/disk-full",
        retryable: true,
      });
    full = false;
    expect(await log.propose(bytes("a"))).toMatchObject({ index: 1 });
    expect(log.status().mode).toBe("live");
  });
  it("leaves the outcome open and makes the ledger read-only when a write breaks", async () => {
    await using mesh = setup();
    mesh.leads.lead(peers[0]);
    const store = memoryLogStore();
    const { log } = await mesh.join(0, {
      ...store,
      append: async (entries, committed) => {
        await store.append(entries, committed);
        throw new Error("input/output error");
      },
    });
    await expect(log.propose(bytes("a"), { id: "x" })).rejects.toMatchObject({
      code: "ledger/outcome-unknown",
      retryable: true,
      detail: { id: "x" },
    });
    expect(log.status()).toMatchObject({ mode: "read-only", error: { code: "ledger/corrupt" } });
    expect(mesh.logs).toEqual(["ledger is read-only"]);
    const again = await mesh.join(2, store);
    mesh.leads.lead(peers[2]);
    expect(await again.log.propose(bytes("a"), { id: "x" })).toMatchObject({ index: 1 });
  });
  it("stops at a machine that throws instead of skipping the entry", async () => {
    await using mesh = setup();
    mesh.leads.lead(peers[0]);
    const { streams } = mesh.network.join({ peer: peers[0]!, sign: async () => new Uint8Array(64) });
    const leadership = mesh.leads.of(peers[0]!);
    const machine = {
      initial: () => 0,
      apply: (): never => {
        throw new Error("bug");
      },
    };
    const ports = { streams, leadership, store: memoryLogStore(), machine, clock: systemClock };
    await using log = await ledger({ ...ports, logger: silentLogger });
    await expect(log.propose(bytes("a"))).rejects.toMatchObject({ code: "ledger/outcome-unknown" });
    expect([log.status().mode, log.appliedIndex()]).toEqual(["read-only", 0]);
    await expect(log.propose(bytes("b"))).rejects.toMatchObject({ code: "ledger/corrupt" });
  });
});

/** A store in memory that holds its n-th write of entries back. */
function held(at: number): {
  readonly store: LogStore;
  readonly writes: () => number;
  readonly release: () => void;
} {
  const store = memoryLogStore();
  const gate = Promise.withResolvers<void>();
  let writes = 0;
  const append: LogStore["append"] = async (entries, committed) => {
    if (entries.length > 0 && ++writes === at) await gate.promise;
    await store.append(entries, committed);
  };
  return { store: { ...store, append }, writes: () => writes, release: () => gate.resolve() };
}

describe("a learner", () => {
  it("catches up from nothing, follows live, and counts as a copy", async () => {
    await using mesh = setup();
    mesh.leads.lead(peers[0]);
    const admin = await mesh.join(0);
    const commands = Array.from({ length: 1000 }, (_, i) => `${i}`.repeat(50));
    await Promise.all(commands.map((command) => admin.log.propose(bytes(command))));
    const learner = await mesh.join(1);
    await learner.log.waitFor(1000, { signal: never });
    expect(learner.log.state()).toEqual(commands);
    expect(await admin.log.propose(bytes("live"))).toMatchObject({ index: 1001, replicas: 2 });
    await learner.log.waitFor(1001, { signal: never });
    expect(await learner.store.read(1, 2000)).toEqual(await admin.store.read(1, 2000));
  });
  it("continues where it stopped", async () => {
    await using mesh = setup();
    mesh.leads.lead(peers[0]);
    const admin = await mesh.join(0);
    const first = await mesh.join(1);
    await admin.log.propose(bytes("a"));
    await first.log.waitFor(1, { signal: never });
    await first.kill();
    await admin.log.propose(bytes("b"));
    const { log } = await mesh.join(1, first.store);
    expect(log.state()).toEqual(["a"]);
    await log.waitFor(2, { signal: never });
    expect(log.state()).toEqual(["a", "b"]);
  });
  it("forwards proposals and answers from its own state", async () => {
    await using mesh = setup();
    mesh.leads.lead(peers[0]);
    const admin = await mesh.join(0);
    const learners = [await mesh.join(1), await mesh.join(2)];
    await Promise.all(
      learners.flatMap(({ log }, n) =>
        Array.from({ length: 200 }, async (_, i) => {
          const { index, result } = await log.propose(bytes(`${n}:${i}`));
          expect(result).toBe(index);
          expect(log.appliedIndex()).toBeGreaterThanOrEqual(index);
          expect(log.state()[index - 1]).toBe(`${n}:${i}`);
        }),
      ),
    );
    expect(admin.log.state()).toHaveLength(400);
    expect(new Set(admin.log.state()).size).toBe(400);
  });
  it("does not hold a proposal up for longer than the replica wait", async () => {
    const clock = manualClock();
    await using mesh = setup({ clock, replicaWaitMs: 50, ackReplicas: 3 });
    mesh.leads.lead(peers[0]);
    const admin = await mesh.join(0);
    const store = memoryLogStore();
    const gate = Promise.withResolvers<void>();
    const slow = {
      ...store,
      append: async (...call: Parameters<typeof store.append>) => {
        await gate.promise;
        await store.append(...call);
      },
    };
    const learner = await mesh.join(1, slow);
    await mesh.join(2);
    await clock.advance(0);
    let answer: unknown;
    const proposed = admin.log.propose(bytes("a")).then((value) => (answer = value));
    await clock.advance(49);
    expect(answer).toBeUndefined();
    await clock.advance(1);
    expect(await proposed).toMatchObject({ replicas: 2 });
    gate.resolve();
    await learner.log.waitFor(1, { signal: never });
    expect(await admin.log.propose(bytes("b"))).toMatchObject({ replicas: 3 });
  });
  it("lets its proposal through once when the link is cut in between", async () => {
    await using mesh = setup();
    mesh.leads.lead(peers[0]);
    const { store, writes, release } = held(2);
    const admin = await mesh.join(0, store);
    const learner = await mesh.join(1);
    await learner.log.propose(bytes("first"));
    const proposed = learner.log.propose(bytes("a"), { id: "x" });
    await until(() => writes() === 2);
    mesh.network.cut(peers[0]!, peers[1]!);
    release();
    await admin.log.waitFor(2, { signal: never });
    mesh.network.heal(peers[0]!, peers[1]!);
    expect(await proposed).toMatchObject({ index: 2, result: 2 });
    expect(admin.log.state()).toEqual(["first", "a"]);
  });
  it("says that the outcome is unknown when no answer came, and learns it by asking again", async () => {
    const clock = manualClock();
    await using mesh = setup({ clock });
    mesh.leads.lead(peers[0]);
    const { store, writes, release } = held(1);
    const admin = await mesh.join(0, store);
    const learner = await mesh.join(1);
    await clock.advance(0);
    const proposed = expect(learner.log.propose(bytes("a"), { id: "x" })).rejects.toMatchObject({
      code: "ledger/outcome-unknown",
      retryable: true,
      detail: { id: "x" },
    });
    await clock.advance(0);
    expect(writes()).toBe(1);
    mesh.network.cut(peers[0]!, peers[1]!);
    release();
    await clock.advance(5000);
    await proposed;
    expect(admin.log.state()).toEqual(["a"]);
    mesh.network.heal(peers[0]!, peers[1]!);
    const again = learner.log.propose(bytes("a"), { id: "x" });
    await clock.advance(4000);
    expect(await again).toMatchObject({ index: 1, result: 1 });
    expect(admin.log.state()).toEqual(["a"]);
  });
  it("brings its proposals to the admin that comes back", async () => {
    await using mesh = setup({ commitWindowMs: 5 });
    mesh.leads.lead(peers[0]);
    let admin = await mesh.join(0);
    const { log } = await mesh.join(1);
    const answers: Promise<{ index: number }>[] = [];
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < 50; i++) answers.push(log.propose(bytes(`${round}:${i}`)));
      await log.waitFor(50 * round + 1, { signal: never });
      await admin.kill();
      mesh.leads.lead(undefined);
      for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
      mesh.leads.lead(peers[0]);
      admin = await mesh.join(0, admin.store);
      await log.waitFor(50 * (round + 1), { signal: never });
    }
    const indexes = (await Promise.all(answers)).map(({ index }) => index).toSorted((a, b) => a - b);
    expect(indexes).toEqual(Array.from({ length: 200 }, (_, i) => i + 1));
    expect(new Set(admin.log.state()).size).toBe(200);
  });
  it("is one copy, however many streams it has", async () => {
    await using mesh = setup({ replicaWaitMs: 0 });
    mesh.leads.lead(peers[0]);
    const { log } = await mesh.join(0);
    const { streams } = mesh.network.join({ peer: peers[3]!, sign: async () => new Uint8Array(64) });
    const { index: last, checksum: lastChecksum } = GENESIS;
    const start = {
      kind: "follow",
      last,
      lastChecksum,
      committed: last,
      committedChecksum: lastChecksum,
    } as const;
    const follow = async (): Promise<PeerStream> => {
      const stream = await streams.open(peers[0]!, PROTOCOL, { signal: never });
      await stream.send(encodeRequest(start));
      return stream;
    };
    const ghost = await follow();
    const live = await follow();
    await expect(Array.fromAsync(ghost.frames)).rejects.toThrow("the follower came again");
    await log.propose(bytes("a"), { id: "x" });
    for await (const frame of live.frames) {
      const response = parseResponse(frame);
      if (response.kind === "entries" && response.entries.length > 0) {
        await live.send(encodeRequest({ kind: "ack", index: 99 }));
        await live.send(encodeRequest({ kind: "propose", id: "x", command: bytes("a") }));
      } else if (response.kind === "committed") {
        expect(response).toEqual({ kind: "committed", id: "x", index: 1, replicas: 2 });
        break;
      }
    }
  });
  it("drops only the session on garbage", async () => {
    await using mesh = setup();
    mesh.leads.lead(peers[0]);
    const { log } = await mesh.join(0);
    const { streams } = mesh.network.join({ peer: peers[3]!, sign: async () => new Uint8Array(64) });
    for (const garbage of [Uint8Array.of(0xff), new Uint8Array(200_000)]) {
      const stream = await streams.open(peers[0]!, "/chorus/ledger/1.0.0", { signal: never });
      await stream.send(garbage);
      await expect(Array.fromAsync(stream.frames)).rejects.toMatchObject({ code: "kernel/invalid-input" });
    }
    expect(await log.propose(bytes("a"))).toMatchObject({ index: 1, replicas: 1 });
    await until(() => log.status().mode === "live");
  });
});
