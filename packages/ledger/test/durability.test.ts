import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { silentLogger, systemClock } from "@chorus/kernel";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { follows, GENESIS, seal } from "../src/chain.ts";
import type { StoredEntry } from "../src/contract.ts";
import { ledger, type LogStore, sqliteLogStore } from "../src/index.ts";
import { fakeLeadership, memoryLogStore } from "../src/testing/index.ts";
import { journal } from "./fixtures/journal.ts";
import { bytes, never, peers, setup, until } from "./fixtures/setup.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "ledger-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** Starts the proposer, kills it hard after some acknowledgements and gives back all that it had printed. */
async function proposeAndKill(
  file: string,
  {
    term,
    after,
    snapshots = "",
  }: { readonly term: number; readonly after: number; readonly snapshots?: string },
): Promise<Map<number, string>> {
  const script = join(import.meta.dirname, "fixtures", "proposer.ts");
  const child = spawn(process.execPath, ["--conditions=@chorus/source", script, file, `${term}`, snapshots], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const gone = once(child, "exit");
  const acknowledged = new Map<number, string>();
  for await (const line of createInterface({ input: child.stdout })) {
    const [index, id = ""] = line.split(" ");
    acknowledged.set(Number(index), id);
    if (acknowledged.size === after) child.kill("SIGKILL");
  }
  expect(await gone).toEqual([null, "SIGKILL"]);
  return acknowledged;
}

async function readAll(store: LogStore): Promise<readonly StoredEntry[]> {
  return store.read(1, 1_000_000);
}

describe("a killed admin", () => {
  it("has every acknowledged entry, in its place, after each of 20 kills", { timeout: 180_000 }, async () => {
    const file = join(directory, "log.sqlite");
    const acknowledged = new Map<number, string>();
    for (let round = 1; round <= 20; round++) {
      const seen = await proposeAndKill(file, { term: round, after: 1 + ((round * 53) % 400) });
      for (const [index, id] of seen) acknowledged.set(index, id);
      using store = sqliteLogStore(file);
      const entries = await readAll(store);
      let at: Parameters<typeof follows>[0] = GENESIS;
      for (const entry of entries) {
        expect(follows(at, entry)).toBe(true);
        at = entry;
      }
      expect(await store.committed()).toBe(entries.length);
      const lost = [...acknowledged].filter(([index, id]) => entries[index - 1]?.id !== id);
      expect(lost).toEqual([]);
    }
    expect(acknowledged.size).toBeGreaterThan(1000);
  });
  it("has every acknowledged entry in its state where snapshots were on their way", {
    timeout: 180_000,
  }, async () => {
    const file = join(directory, "log.sqlite");
    const acknowledged = new Map<number, string>();
    const bases: number[] = [];
    for (let round = 1; round <= 8; round++) {
      const after = 60 + ((round * 53) % 200);
      const seen = await proposeAndKill(file, { term: round, after, snapshots: "snapshots" });
      for (const [index, id] of seen) acknowledged.set(index, id);
      await using mesh = setup();
      using store = sqliteLogStore(file);
      const { streams } = mesh.network.join({ peer: peers[0]!, sign: async () => new Uint8Array(64) });
      const ports = { streams, leadership: mesh.leads.of(peers[0]!), store, machine: journal };
      await using log = await ledger({ ...ports, clock: systemClock, logger: silentLogger });
      expect(log.status().mode).toBe("live");
      const lost = [...acknowledged].filter(([index, id]) => log.state().get(index) !== id);
      expect(lost).toEqual([]);
      bases.push((await store.base())?.index ?? 0);
    }
    expect(new Set(bases).size).toBeGreaterThan(4);
  });
});

describe("damage", () => {
  it("of any byte of any entry breaks the chain", () => {
    const entry = fc.record({
      id: fc.string({ minLength: 1, maxLength: 64 }),
      command: fc.uint8Array({ minLength: 1, maxLength: 50 }),
    });
    fc.assert(
      fc.property(
        fc.array(entry, { minLength: 1, maxLength: 5 }),
        fc.nat(),
        fc.nat(),
        (drafts, which, where) => {
          const entries = seal(GENESIS, 3, drafts);
          const i = which % entries.length;
          const before = entries[i - 1] ?? GENESIS;
          const good = entries[i]!;
          expect(follows(before, good)).toBe(true);
          const flip = (from: Uint8Array): Uint8Array =>
            from.with(where % from.length, from[where % from.length]! ^ 1);
          for (const bad of [
            { ...good, command: flip(good.command) },
            { ...good, command: good.command.slice(1) },
            { ...good, checksum: flip(good.checksum) },
            { ...good, id: `${good.id}.` },
            { ...good, term: good.term + 1 },
            { ...good, index: good.index + 1 },
          ])
            expect(follows(before, bad)).toBe(false);
        },
      ),
    );
  });
  it("of one byte in the file makes the ledger read-only and loses nothing before it", async () => {
    const file = join(directory, "log.sqlite");
    {
      await using mesh = setup();
      mesh.leads.lead(peers[0]);
      using store = sqliteLogStore(file);
      const admin = await mesh.join(0, store);
      for (let i = 1; i <= 100; i++) await admin.log.propose(bytes(`command number ${i} `.repeat(20)));
      await admin.kill();
    }
    flipByteAfter(file, "command number 60 ");
    const damaged = readFileSync(file);
    {
      await using mesh = setup();
      mesh.leads.lead(peers[0]);
      using store = sqliteLogStore(file);
      const { log } = await mesh.join(0, store);
      expect(log.status()).toMatchObject({
        mode: "read-only",
        error: { code: "ledger/corrupt", detail: { index: 60 } },
      });
      expect(mesh.logs).toEqual(["ledger is read-only"]);
      expect(log.appliedIndex()).toBe(59);
      expect(log.state()).toHaveLength(59);
      const read: number[] = [];
      await expect(
        (async () => {
          for await (const { index } of log.entries({ from: 58, signal: never })) read.push(index);
        })(),
      ).rejects.toMatchObject({ code: "ledger/corrupt" });
      expect(read).toEqual([58, 59]);
      await expect(log.propose(bytes("more"))).rejects.toMatchObject({
        code: "ledger/corrupt",
        retryable: false,
      });
      await expect(log.waitFor(60, { signal: never })).rejects.toMatchObject({ code: "ledger/corrupt" });
      expect(await store.last()).toBe(100);
    }
    expect(readFileSync(file).equals(damaged)).toBe(true);
  });
  it("is not served to learners", async () => {
    await using mesh = setup({ proposeTimeoutMs: 100 });
    const [a, b, c] = seal(
      GENESIS,
      1,
      ["a", "b", "c"].map((id) => ({ id, command: bytes(id) })),
    );
    const store = memoryLogStore();
    await store.append([a!, { ...b!, command: bytes("x") }, c!], 3);
    mesh.leads.lead(peers[0]);
    const admin = await mesh.join(0, store);
    const learner = await mesh.join(1);
    expect(admin.log.status()).toMatchObject({ mode: "read-only", error: { detail: { index: 2 } } });
    await expect(learner.log.propose(bytes("d"))).rejects.toMatchObject({ code: "ledger/no-leader" });
    expect(learner.log.appliedIndex()).toBe(0);
    expect(learner.log.status().mode).toBe("live");
  });
  it("that removed committed entries is noticed", async () => {
    await using mesh = setup();
    const store = memoryLogStore();
    await store.append(seal(GENESIS, 1, [{ id: "a", command: bytes("a") }]), 1);
    const { log } = await mesh.join(0, { ...store, last: async () => 0, read: async () => [] });
    expect(log.status()).toMatchObject({ mode: "read-only", error: { code: "ledger/corrupt" } });
  });
});

describe("a log of another founding", () => {
  it("is neither followed nor led with, and is left as it is", async () => {
    const store = memoryLogStore();
    const life = async (founding: string, act: (log: Awaited<ReturnType<typeof join>>) => Promise<void>) => {
      await using mesh = setup();
      const leads = fakeLeadership({ voters: [peers[0]!], founding });
      // Terms start over with a founding; the log must not be saved by its own higher ones.
      for (let term = 0; term < 3; term++) leads.lead(peers[0]);
      await act(await join(mesh, leads));
    };
    const join = async (mesh: ReturnType<typeof setup>, leads: ReturnType<typeof fakeLeadership>) => {
      const { streams } = mesh.network.join({ peer: peers[0]!, sign: async () => new Uint8Array(64) });
      const ports = { streams, leadership: leads.of(peers[0]!), store, machine: journal };
      const log = await ledger({ ...ports, clock: systemClock, logger: silentLogger });
      return { log, leads };
    };
    await life("one", async ({ log }) => {
      await log.propose(bytes("a"));
      await log[Symbol.asyncDispose]();
    });
    const before = await readAll(store);
    await life("two", async ({ log, leads }) => {
      await until(() => log.status().mode === "read-only");
      expect(log.status().error).toMatchObject({
        code: "ledger/corrupt",
        detail: { problem: "the log belongs to another founding of the mesh" },
      });
      expect(leads.of(peers[0]!).admin()).toBeUndefined();
      await log[Symbol.asyncDispose]();
    });
    expect(await readAll(store)).toEqual(before);
    await life("one", async ({ log }) => {
      expect((await log.propose(bytes("b"))).result).toBe(2);
      await log[Symbol.asyncDispose]();
    });
  });
});

describe("two logs that differ", () => {
  const entries = seal(
    GENESIS,
    1,
    ["a", "b", "c"].map((id) => ({ id, command: bytes(id) })),
  );
  const others = seal(
    entries[0]!,
    1,
    ["x", "y"].map((id) => ({ id, command: bytes(id) })),
  );

  it("stop the learner with an alarm where both are committed", async () => {
    await using mesh = setup();
    const [leading, learning] = [memoryLogStore(), memoryLogStore()];
    await leading.append(entries, 3);
    await learning.append([entries[0]!, ...others], 3);
    mesh.leads.lead(peers[0]);
    const admin = await mesh.join(0, leading);
    const learner = await mesh.join(1, learning);
    await until(() => learner.log.status().mode === "read-only");
    expect(learner.log.status().error).toMatchObject({ code: "ledger/corrupt" });
    expect(mesh.logs).toContain("follower holds committed entries that this log does not have");
    expect(learner.log.state()).toEqual(["a", "x", "y"]);
    expect(await admin.log.propose(bytes("d"))).toMatchObject({ index: 4, replicas: 1 });
  });
  it("stop the learner when the admin has lost its end", async () => {
    await using mesh = setup();
    const [leading, learning] = [memoryLogStore(), memoryLogStore()];
    await leading.append(entries.slice(0, 2), 2);
    await learning.append(entries, 3);
    mesh.leads.lead(peers[0]);
    await mesh.join(0, leading);
    const { log } = await mesh.join(1, learning);
    await until(() => log.status().mode === "read-only");
    expect(log.appliedIndex()).toBe(3);
  });
  it("are brought together where the learner's end was never committed", async () => {
    await using mesh = setup();
    const [leading, learning] = [memoryLogStore(), memoryLogStore()];
    await leading.append(entries, 3);
    await learning.append([entries[0]!, ...others], 1);
    mesh.leads.lead(peers[0]);
    await mesh.join(0, leading);
    const learner = await mesh.join(1, learning);
    await learner.log.waitFor(3, { signal: never });
    expect(learner.log.state()).toEqual(["a", "b", "c"]);
    expect(await readAll(learning)).toEqual(entries);
  });
  it("do not arise when the only voter restarts before it marked its last entries as committed", async () => {
    await using mesh = setup();
    const store = memoryLogStore();
    await store.append(entries, 1);
    const { log } = await mesh.join(0, store);
    expect(log.state()).toEqual(["a"]);
    mesh.leads.lead(peers[0]);
    await log.waitFor(3, { signal: never });
    expect(log.state()).toEqual(["a", "b", "c"]);
  });
});

/** Flips one bit of the byte that follows a text in a file. */
function flipByteAfter(file: string, text: string): void {
  const at = readFileSync(file).indexOf(text) + text.length;
  const handle = openSync(file, "r+");
  const byte = new Uint8Array(1);
  readSync(handle, byte, 0, 1, at);
  writeSync(handle, byte.with(0, byte[0]! ^ 4), 0, 1, at);
  closeSync(handle);
}
