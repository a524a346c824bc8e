import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { PeerStream } from "@chorus/kernel";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DiskFullError } from "../src/errors.ts";
import { type LogStore, sqliteLogStore } from "../src/index.ts";
import { partsOf } from "../src/snapshot.ts";
import { memoryLogStore } from "../src/testing/index.ts";
import { encodeResponse, parseRequest, PROTOCOL } from "../src/wire.ts";
import { bytes, list, type Member, never, peers, setup, until } from "./fixtures/setup.ts";

const SMALL = { snapshotEntries: 10, snapshotTrail: 2 };
/** Its snapshot has more parts than come with one question. */
const LARGE = { snapshotEntries: 700, snapshotTrail: 2 };

type Writes = "stage" | "unstage" | "install" | "sweep";

/** A store whose writes for snapshots go through a hand that may hold them back. */
function watched(
  inner: LogStore,
  around: <T>(kind: Writes, write: () => Promise<T>) => Promise<T>,
): LogStore {
  return {
    ...inner,
    stage: (...call) => around("stage", () => inner.stage(...call)),
    unstage: () => around("unstage", () => inner.unstage()),
    install: (...call) => around("install", () => inner.install(...call)),
    sweep: () => around("sweep", () => inner.sweep()),
  };
}

/** A store of a process that dies with its n-th write for a snapshot, before or after it took place. */
function dying(
  inner: LogStore,
  at: number,
  when: "before" | "after",
): { readonly store: LogStore; readonly died: () => boolean; readonly swept: () => boolean } {
  let [count, dead, installed, sweeps] = [0, false, false, 0];
  const alive = (): void => {
    if (dead) throw new Error("the process is dead");
  };
  const store = watched(inner, async (kind, write) => {
    alive();
    installed ||= kind === "install";
    if (installed && kind === "sweep") sweeps++;
    dead = ++count === at;
    if (!dead || when === "after") return write().finally(alive);
    throw new Error("the process is dead");
  });
  const append: LogStore["append"] = async (...call) => {
    alive();
    await inner.append(...call);
  };
  return { store: { ...store, append }, died: () => dead, swept: () => sweeps > 1 };
}

async function fill({ log }: Pick<Member, "log">, from: number, to: number): Promise<readonly string[]> {
  const names = Array.from({ length: to - from }, (_, i) => `${from + i}`);
  await Promise.all(names.map((name) => log.propose(bytes(name), { id: name })));
  return names;
}

async function truncated(store: LogStore): Promise<void> {
  const end = performance.now() + 20_000;
  while (((await store.base())?.index ?? 0) === 0) {
    if (performance.now() > end) throw new Error("the log kept its head");
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function rowsOf(file: string): unknown {
  using database = new DatabaseSync(file);
  return ["entries", "parts", "slots"].map((table) => database.prepare(`SELECT * FROM ${table}`).all());
}

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "ledger-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

describe.each(["before", "after"] as const)("a process that dies %s a write for a snapshot", (when) => {
  it("loses nothing that it had acknowledged, whichever write it was", async () => {
    let steps = 0;
    for (let at = 1; ; at++) {
      const file = join(directory, `${at}.sqlite`);
      const names = Array.from({ length: 12 }, (_, i) => `${i}`);
      let acknowledged: readonly string[] = [];
      let survived = true;
      {
        await using mesh = setup(SMALL);
        mesh.leads.lead(peers[0]);
        using inner = sqliteLogStore(file);
        const { store, died, swept } = dying(inner, at, when);
        const admin = await mesh.join(0, store);
        const tries = names.map((name) => admin.log.propose(bytes(name), { id: name }).then(() => name));
        acknowledged = (await Promise.allSettled(tries)).flatMap((one) =>
          one.status === "fulfilled" ? [one.value] : [],
        );
        // Where it lives on, its snapshot is made and what was removed is swept.
        await until(() => died() || swept());
        survived = !died();
        await admin.kill();
      }
      await using mesh = setup(SMALL);
      mesh.leads.lead(peers[0]);
      using store = sqliteLogStore(file);
      const { log } = await mesh.join(0, store);
      expect(log.status()).toEqual({ mode: "live" });
      expect(log.state()).toEqual(expect.arrayContaining([...acknowledged]));
      await Promise.all(names.map((name) => log.propose(bytes(name), { id: name })));
      expect(log.state().toSorted()).toEqual(names.toSorted());
      if (survived) break;
      steps++;
    }
    expect(steps).toBeGreaterThan(2);
  });
  it("goes on with the installation of the admin's, whichever write it was", async () => {
    await using mesh = setup(LARGE);
    mesh.leads.lead(peers[0]);
    const admin = await mesh.join(0);
    const all = await fill(admin, 0, 800);
    await truncated(admin.store);
    let steps = 0;
    for (let at = 1; ; at++) {
      const inner = memoryLogStore();
      const { store, died } = dying(inner, at, when);
      const first = await mesh.join(1, store);
      await until(() => died() || first.log.appliedIndex() === 800);
      const survived = !died();
      await first.kill();
      const again = await mesh.join(1, inner);
      await again.log.waitFor(800, { signal: never });
      expect(again.log.state()).toEqual(all);
      await again.kill();
      if (survived) break;
      steps++;
    }
    expect(steps).toBeGreaterThan(10);
  }, 60_000);
});

describe("a snapshot on its way", () => {
  it("goes on where it was cut off, also in the next life of the follower", async () => {
    await using mesh = setup(LARGE);
    mesh.leads.lead(peers[0]);
    const admin = await mesh.join(0);
    const all = await fill(admin, 0, 800);
    await truncated(admin.store);
    const inner = memoryLogStore();
    const staged: number[] = [];
    const store: LogStore = {
      ...inner,
      stage: async (name, from, parts) => {
        await inner.stage(name, from, parts);
        staged.push(from);
        if (from === 3) mesh.network.cut(peers[0]!, peers[1]!);
      },
    };
    const first = await mesh.join(1, store);
    await until(() => staged.length === 4);
    expect(first.log.appliedIndex()).toBe(0);
    expect(await inner.snapshot()).toBeUndefined();
    await first.kill();
    mesh.network.heal(peers[0]!, peers[1]!);
    const { log } = await mesh.join(1, store);
    await log.waitFor(800, { signal: never });
    expect(log.state()).toEqual(all);
    const { parts } = (await inner.snapshot())!;
    expect(parts).toBeGreaterThan(10);
    expect(staged).toEqual(Array.from({ length: parts }, (_, number) => number));
  });
  it("is fetched anew when it was damaged on the follower's disk, and the alarm is raised", async () => {
    await using mesh = setup(LARGE);
    mesh.leads.lead(peers[0]);
    const admin = await mesh.join(0);
    const all = await fill(admin, 0, 800);
    await truncated(admin.store);
    const inner = memoryLogStore();
    let damaged = 0;
    const { log } = await mesh.join(1, {
      ...inner,
      readParts: async (of, from, limit) => {
        const parts = await inner.readParts(of, from, limit);
        if (limit === 1 || from > 0 || damaged > 0) return parts;
        damaged++;
        return parts.map((part) => ({ ...part, bytes: part.bytes.with(9, part.bytes[9]! ^ 1) }));
      },
    });
    await log.waitFor(800, { signal: never });
    expect(log.state()).toEqual(all);
    expect(damaged).toBe(1);
    expect(mesh.logs).toContain("received snapshot is damaged");
  });
  it("is not installed when a part of it was harmed, or was not asked for", async () => {
    const mark = { index: 90, term: 1, checksum: new Uint8Array(32).fill(1) };
    const [first, second] = partsOf(mark, new Map(), [new Uint8Array(10)]);
    const head = { ...mark, parts: 2, digest: second!.checksum };
    const lies = [
      [{ ...first!, bytes: first!.bytes.with(0, 7) }],
      [second!],
      [first!, first!],
      [first!, { ...second!, bytes: second!.bytes.slice(1) }],
    ];
    for (const lie of lies) {
      await using mesh = setup();
      mesh.leads.lead(peers[0]);
      const { streams } = mesh.network.join({ peer: peers[0]!, sign: async () => new Uint8Array(64) });
      const ended: Promise<unknown>[] = [];
      const serve = async (stream: PeerStream): Promise<void> => {
        for await (const frame of stream.frames) {
          const request = parseRequest(frame);
          if (request.kind === "follow") await stream.send(encodeResponse({ kind: "snapshot", ...head }));
          if (request.kind === "fetch")
            for (const [i, part] of lie.entries())
              await stream.send(encodeResponse({ kind: "part", number: request.from + i, ...part }));
        }
      };
      using _serving = streams.handle(PROTOCOL, (stream) => {
        const served = serve(stream);
        ended.push(served.catch(() => "aborted"));
        return served;
      });
      const { log, store } = await mesh.join(1);
      await until(() => ended.length > 0);
      expect(await ended[0]).toBe("aborted");
      expect([log.appliedIndex(), log.status().mode]).toEqual([0, "live"]);
      expect([await store.snapshot(), await store.last()]).toEqual([undefined, 0]);
    }
  });
  it("is refused with an alarm when the machine cannot read it", async () => {
    await using mesh = setup(LARGE);
    mesh.leads.lead(peers[0]);
    const admin = await mesh.join(0);
    await fill(admin, 0, 800);
    await truncated(admin.store);
    const older = {
      ...list,
      restore: (): never => {
        throw new TypeError("of a later version");
      },
    };
    const { log, store } = await mesh.join(1, memoryLogStore(), older);
    await until(() => log.status().mode === "read-only");
    expect(log.status().error).toMatchObject({
      code: "ledger/corrupt",
      detail: { problem: "the snapshot cannot be restored" },
    });
    expect(mesh.logs).toContain("ledger is read-only");
    expect(await store.snapshot()).toBeUndefined();
  });
});

describe("a full disk", () => {
  it("keeps a snapshot from being taken and nothing else", async () => {
    await using mesh = setup(SMALL);
    mesh.leads.lead(peers[0]);
    const inner = memoryLogStore();
    let full = true;
    const store = watched(inner, (kind, write) =>
      full && kind === "stage" ? Promise.reject(new DiskFullError()) : write(),
    );
    const admin = await mesh.join(0, store);
    await fill(admin, 0, 12);
    await until(() => mesh.logs.includes("snapshot could not be taken"));
    expect(admin.log.status().mode).toBe("live");
    full = false;
    await fill(admin, 12, 30);
    await truncated(inner);
    expect(admin.log.state()).toHaveLength(30);
  });
  it.each(["stage", "install"] as const)("at a follower's %s is waited out", async (kind) => {
    await using mesh = setup(LARGE);
    mesh.leads.lead(peers[0]);
    const admin = await mesh.join(0);
    const all = await fill(admin, 0, 800);
    await truncated(admin.store);
    let [full, refused] = [true, 0];
    const store = watched(memoryLogStore(), (one, write) => {
      if (!full || one !== kind) return write();
      refused++;
      return Promise.reject(new DiskFullError());
    });
    const { log } = await mesh.join(1, store);
    await until(() => refused > 0);
    expect([log.appliedIndex(), log.status().mode]).toEqual([0, "live"]);
    full = false;
    await log.waitFor(800, { signal: never });
    expect(log.state()).toEqual(all);
    expect(mesh.logs).toContain("entries could not be kept");
  });
});

describe("a damaged snapshot", () => {
  /** A file with a snapshot and some entries after it. */
  async function snapshotFile(): Promise<string> {
    const file = join(directory, "log.sqlite");
    await using mesh = setup(SMALL);
    mesh.leads.lead(peers[0]);
    using store = sqliteLogStore(file);
    const admin = await mesh.join(0, store);
    await fill(admin, 0, 15);
    await truncated(store);
    await admin.kill();
    return file;
  }

  it.each([
    ["of one byte", "UPDATE parts SET bytes = zeroblob(length(bytes))"],
    ["without a part", "DELETE FROM parts WHERE id = (SELECT max(id) FROM parts)"],
    ["of which the row is harmed", "UPDATE slots SET generation = generation + 1 WHERE slot = 0"],
    ["that is gone", "DELETE FROM slots"],
  ])("%s makes the ledger read-only and is left as it is", async (_what, harm) => {
    const file = await snapshotFile();
    const database = new DatabaseSync(file);
    database.exec(harm);
    database.close();
    const before = rowsOf(file);
    await using mesh = setup(SMALL);
    mesh.leads.lead(peers[0]);
    const store = sqliteLogStore(file);
    const { log } = await mesh.join(0, store);
    expect(log.status()).toMatchObject({ mode: "read-only", error: { code: "ledger/corrupt" } });
    expect(mesh.logs).toEqual(["ledger is read-only"]);
    await expect(log.propose(bytes("more"))).rejects.toMatchObject({ code: "ledger/corrupt" });
    await log[Symbol.asyncDispose]();
    store[Symbol.dispose]();
    expect(rowsOf(file)).toEqual(before);
  });
  it("is not sent to a follower", async () => {
    await using mesh = setup(LARGE);
    mesh.leads.lead(peers[0]);
    const inner = memoryLogStore();
    let harmed = false;
    const admin = await mesh.join(0, {
      ...inner,
      readParts: async (of, from, limit) => {
        const parts = await inner.readParts(of, from, limit);
        return parts.map((part, i) =>
          harmed && from + i === 2 ? { ...part, bytes: part.bytes.with(20, part.bytes[20]! ^ 1) } : part,
        );
      },
    });
    await fill(admin, 0, 800);
    await truncated(inner);
    harmed = true;
    const learner = await mesh.join(1);
    await until(() => admin.log.status().mode === "read-only");
    expect(mesh.logs).toContain("ledger is read-only");
    expect([learner.log.appliedIndex(), learner.log.status().mode]).toEqual([0, "live"]);
  });
});

describe("the room of what was removed", () => {
  it("is used again: the file stops growing", async () => {
    const file = join(directory, "log.sqlite");
    await using mesh = setup({ snapshotEntries: 200, snapshotTrail: 2, dedupWindow: 1024 });
    mesh.leads.lead(peers[0]);
    using store = sqliteLogStore(file);
    const admin = await mesh.join(0, store, { ...list, apply: (state) => ({ state, result: 0 }) });
    const command = new Uint8Array(2000);
    const sizes: number[] = [];
    for (let round = 0; round < 10; round++) {
      const before = (await store.base())?.index;
      await Promise.all(Array.from({ length: 600 }, () => admin.log.propose(command)));
      while ((await store.base())?.index === before) await new Promise((resolve) => setImmediate(resolve));
      sizes.push(statSync(file).size);
    }
    expect(sizes.at(-1)).toBeLessThan(2 * sizes[1]!);
  });
});
