import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { cidOf } from "@chorus/kernel";
import { manualClock } from "@chorus/kernel/testing";
import { describe, expect, it } from "vitest";
import { clean, collect, content, inChunks, MARKER, setup, text, until } from "./fixtures/mesh.ts";

const decision = { codec: "dag-cbor", class: "decision" } as const;
const artifact = { codec: "raw", class: "artifact" } as const;

describe("putting and getting", () => {
  it("acknowledges with two copies on disk, and another peer resolves it after the author is gone", async () => {
    await using mesh = setup();
    const a = await mesh.join("a");
    await mesh.join("b");
    const c = await mesh.join("c");
    const bytes = text("a decision");
    const put = await a.storage.put(bytes, decision);
    expect(put.cid).toBe(await cidOf(bytes, "dag-cbor"));
    expect(put.replicas).toBeGreaterThanOrEqual(2);
    expect(put.acks[0]).toBe(a.peer);
    expect(put.acks).toHaveLength(put.replicas);
    expect(put.degraded).toBe(false);
    await a.wipe();
    expect(await c.storage.get(put.cid)).toEqual(new Uint8Array(bytes));
  });

  it("keeps exactly three copies, on the peers that rendezvous hashing names", async () => {
    await using mesh = setup();
    const members = await Promise.all(["a", "b", "c", "d", "e"].map((name) => mesh.join(name)));
    const holders = async (cid: Awaited<ReturnType<typeof cidOf>>): Promise<string[]> => {
      const has = await Promise.all(members.map(({ storage }) => storage.has(cid)));
      return members.filter((_, i) => has[i]).map(({ name }) => name);
    };
    const seen = new Set<string>();
    for (let i = 0; i < 8; i++) {
      const { cid } = await members[0]!.storage.put(text(`number ${i}`), decision);
      await until(async () => (await holders(cid)).length === 3);
      const again = await members[0]!.storage.put(text(`number ${i}`), decision);
      expect(again.degraded).toBe(false);
      const names = await holders(cid);
      expect(names).toHaveLength(3);
      expect(names).toContain("a");
      seen.add(names.join());
    }
    expect(seen.size).toBeGreaterThan(1);
  });

  it.each([0, 1, 65_535, 65_536, 65_537, 1_048_576, 1_048_577, 3_500_000])(
    "carries %i bytes to a peer that was not asked to hold them",
    async (length) => {
      await using mesh = setup();
      const a = await mesh.join("a");
      const bytes = length === 0 ? clean(new Uint8Array()) : content(length);
      const { cid } = await a.storage.put(bytes, artifact);
      const b = await mesh.join("b");
      const got = await b.storage.get(cid);
      expect(Buffer.compare(got!, bytes)).toBe(0);
      expect(Buffer.compare(await collect(await a.storage.getStream(cid)), bytes)).toBe(0);
    },
  );

  it("gives a stream the address of its bytes, whatever its chunks", async () => {
    await using mesh = setup();
    const a = await mesh.join("a");
    const b = await mesh.join("b");
    const bytes = content(2_300_000);
    const small = await a.storage.putStream(inChunks(bytes, 1000), artifact);
    const large = await a.storage.putStream(inChunks(bytes, 999_999), artifact);
    expect(small.cid).toBe(await cidOf(bytes, "raw"));
    expect(large.cid).toBe(small.cid);
    const chunks = await Array.fromAsync((await b.storage.getStream(small.cid))!);
    expect(Math.max(...chunks.map((chunk) => chunk.length))).toBeLessThanOrEqual(65_536);
    expect(Buffer.compare(Buffer.concat(chunks), bytes)).toBe(0);
  });

  it("answers undefined for an address that nobody holds", async () => {
    await using mesh = setup();
    const a = await mesh.join("a");
    await mesh.join("b");
    const cid = await cidOf(text("never put"), "raw");
    expect(await a.storage.get(cid)).toBeUndefined();
    expect(await a.storage.getStream(cid)).toBeUndefined();
    expect(await a.storage.has(cid)).toBe(false);
  });

  it("asks the peers that routing names when the connected ones have nothing", async () => {
    await using mesh = setup();
    const records = new Map<string, Set<Awaited<ReturnType<typeof mesh.join>>["peer"]>>();
    const routing = (self: () => { peer: never } | { peer: string }) => ({
      async provide(key: Uint8Array) {
        const hex = Buffer.from(key).toString("hex");
        records.set(hex, (records.get(hex) ?? new Set()).add(self().peer as never));
      },
      async *providers(key: Uint8Array) {
        yield* records.get(Buffer.from(key).toString("hex")) ?? [];
      },
    });
    const a = await mesh.join("a", { routing: routing(() => a) });
    const { cid } = await a.storage.put(text("far away"), decision);
    await until(() => records.size === 1);
    // Connected to nobody, but able to dial whom it is told of.
    const b = await mesh.join("b", {
      routing: routing(() => b),
      streams: (streams) => ({ ...streams, peers: () => [] }),
    });
    expect(await b.storage.get(cid)).toEqual(new Uint8Array(text("far away")));
    await until(() => [...records.values()][0]!.size === 2);
    expect([...records.keys()][0]).not.toContain(cid);
  });
});

describe("durability", () => {
  it("is not degraded alone, and completes the copies when peers appear", async () => {
    await using mesh = setup();
    const a = await mesh.join("a");
    const alone = await a.storage.put(text("alone"), decision);
    expect(alone).toMatchObject({ replicas: 1, acks: [a.peer], degraded: false });
    const b = await mesh.join("b");
    const c = await mesh.join("c");
    const d = await mesh.join("d");
    const held = async (): Promise<number> =>
      (await Promise.all([b, c, d].map(({ storage }) => storage.has(alone.cid)))).filter(Boolean).length;
    await until(async () => (await held()) === 2);
    expect(await held()).toBe(2);
  });

  it("says degraded when the peers it knows are out of reach, and repairs it when they are back", async () => {
    await using mesh = setup();
    const a = await mesh.join("a");
    const b = await mesh.join("b");
    await a.storage.put(text("first"), decision);
    mesh.network.cut(a.peer, b.peer);
    const put = await a.storage.put(text("second"), decision);
    expect(put).toMatchObject({ replicas: 1, degraded: true });
    expect(await b.storage.has(put.cid)).toBe(false);
    mesh.network.heal(a.peer, b.peer);
    await until(() => b.storage.has(put.cid));
    expect(await a.storage.put(text("second"), decision)).toMatchObject({ replicas: 2, degraded: false });
  });

  it("remembers across a restart what it owes and whom it knows", async () => {
    await using mesh = setup();
    const a = await mesh.join("a");
    const b = await mesh.join("b");
    await a.storage.put(text("first"), decision);
    mesh.network.cut(a.peer, b.peer);
    const { cid } = await a.storage.put(text("second"), decision);
    await a.stop();
    const again = await mesh.join("a");
    expect(await again.storage.put(text("third"), decision)).toMatchObject({ degraded: true });
    mesh.network.heal(a.peer, b.peer);
    await until(() => b.storage.has(cid));
  });

  it("is degraded when the only connected peer does not serve storage", async () => {
    await using mesh = setup();
    const a = await mesh.join("a");
    mesh.network.join((await mesh.join("b").then(async (b) => (await b.stop(), b))).signer);
    expect(await a.storage.put(text("x"), decision)).toMatchObject({ replicas: 1, degraded: true });
  });

  it("gives a silent peer up after its time", async () => {
    await using mesh = setup();
    const clock = manualClock();
    const a = await mesh.join("a", { clock });
    const b = await mesh.join("b");
    await b.stop();
    const silent = mesh.network.join(b.signer);
    const asked = Promise.withResolvers<void>();
    silent.streams.handle("/chorus/blob/1.0.0", async () => {
      asked.resolve();
      await new Promise(() => undefined);
    });
    const put = a.storage.put(text("x"), decision);
    await asked.promise;
    await clock.advance(10_001);
    expect(await put).toMatchObject({ replicas: 1, degraded: true });
  });

  it("copies to another peer when one is full", async () => {
    await using mesh = setup();
    const a = await mesh.join("a");
    const b = await mesh.join("b", { capacityBytes: 10 });
    const c = await mesh.join("c");
    const put = await a.storage.put(text("x"), decision);
    expect(put.acks).toEqual([a.peer, c.peer]);
    expect(await b.storage.has(put.cid)).toBe(false);
    expect(put.degraded).toBe(false);
  });
});

describe("what is seen outside", () => {
  it("is never plaintext: not on any disk, not in any frame", async () => {
    await using mesh = setup();
    const members = await Promise.all(["a", "b", "c"].map((name) => mesh.join(name)));
    const [a, b, c] = members;
    const small = await a!.storage.put(content(5000), decision);
    const file = await a!.storage.put(content(200_000), artifact);
    const large = await a!.storage.putStream(inChunks(content(2_500_000), 70_000), artifact);
    for (const { cid } of [small, file, large])
      for (const { storage } of [b!, c!]) expect(await storage.get(cid)).toBeDefined();
    const frames = members.flatMap(({ sent }) => sent);
    expect(frames.length).toBeGreaterThan(10);
    expect(frames.some((frame) => Buffer.from(frame).includes("age-encryption.org/v1"))).toBe(true);
    expect(frames.some((frame) => Buffer.from(frame).includes(MARKER))).toBe(false);
    for (const { stop } of members) await stop();
    const files = filesBelow(mesh.directory);
    expect(files.length).toBeGreaterThan(6);
    for (const path of files) expect(readFileSync(path).includes(MARKER), path).toBe(false);
  });
});

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .map((name) => join(directory, name))
    .filter((path) => statSync(path).isFile());
}
