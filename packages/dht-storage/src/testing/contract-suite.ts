import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { cidOf, errorCode, type Clean, type PeerId } from "@chorus/kernel";
import type { DhtStorage } from "../contract.ts";

/** A new, empty storage of a peer that is alone, and a way to let its time pass. */
export type StorageContractSetup = () => Promise<{
  readonly storage: DhtStorage;
  readonly peer: PeerId;
  readonly now: () => number;
  readonly advance: (ms: number) => Promise<void>;
}>;

/** One thing that every storage does. Rejects when the storage under test does not. */
export interface StorageContractCase {
  readonly name: string;
  readonly run: (open: StorageContractSetup) => Promise<void>;
}

type Opened = Awaited<ReturnType<StorageContractSetup>>;

const decision = { codec: "dag-cbor", class: "decision" } as const;
const artifact = { codec: "raw", class: "artifact" } as const;

/** Test data stands in for what a scanner has passed. */
function clean(bytes: Uint8Array): Clean<Uint8Array> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- test data holds no secret
  return bytes as Clean<Uint8Array>;
}

function text(content: string): Clean<Uint8Array> {
  return clean(new TextEncoder().encode(content));
}

async function refused(run: Promise<unknown>, code: string): Promise<void> {
  await rejects(run, (error) => errorCode(error) === code);
}

function item(name: string, run: (opened: Opened) => Promise<void>): StorageContractCase {
  return {
    name,
    run: async (open) => {
      const opened = await open();
      try {
        await run(opened);
      } finally {
        await opened.storage[Symbol.asyncDispose]();
      }
    },
  };
}

const blobs: readonly StorageContractCase[] = [
  item("addresses bytes by their hash and codec, and gives them back", async ({ storage, peer }) => {
    for (const options of [decision, artifact] as const)
      for (const bytes of [text(""), text("x"), clean(new Uint8Array(100_000).fill(7))]) {
        const put = await storage.put(bytes, options);
        strictEqual(put.cid, await cidOf(bytes, options.codec));
        deepStrictEqual(put.acks, [peer]);
        strictEqual(put.replicas, 1);
        strictEqual(put.degraded, false);
        deepStrictEqual(await storage.get(put.cid), new Uint8Array(bytes));
        strictEqual(await storage.has(put.cid), true);
      }
  }),
  item("does not see what happens to the caller's bytes later", async ({ storage }) => {
    const bytes = text("before");
    const putting = storage.put(bytes, decision);
    bytes.fill(0);
    const { cid } = await putting;
    deepStrictEqual(await storage.get(cid), new Uint8Array(text("before")));
  }),
  item("takes and gives streams", async ({ storage }) => {
    const whole = new Uint8Array(1_500_000).fill(5);
    const { cid } = await storage.putStream(chunks(whole, 70_001), artifact);
    strictEqual(cid, await cidOf(whole, "raw"));
    const stream = await storage.getStream(cid);
    ok(stream);
    const got = await Array.fromAsync(stream);
    ok(got.every(({ length }) => length > 0 && length <= 65_536));
    deepStrictEqual(new Uint8Array(Buffer.concat(got)), whole);
  }),
  item("answers undefined for what it does not hold", async ({ storage }) => {
    const cid = await cidOf(text("never"), "raw");
    strictEqual(await storage.get(cid), undefined);
    strictEqual(await storage.getStream(cid), undefined);
    strictEqual(await storage.has(cid), false);
  }),
  item("refuses what is too large for its class, and a time that has passed", async ({ storage, now }) => {
    await refused(storage.put(clean(new Uint8Array(262_145)), decision), "dht-storage/too-large");
    const past = { ...artifact, expiresAt: now() };
    await refused(storage.put(text("x"), past), "kernel/invalid-input");
  }),
  item("keeps a blob as long as the longest wish", async ({ storage, now, advance }) => {
    const wish = (ms: number): typeof artifact & { expiresAt: number } => ({
      ...artifact,
      expiresAt: now() + ms,
    });
    const { cid } = await storage.put(text("x"), wish(2000));
    await storage.put(text("x"), wish(1000));
    await advance(1000);
    strictEqual(await storage.has(cid), true);
    await advance(1000);
    strictEqual(await storage.has(cid), false);
    strictEqual(await storage.get(cid), undefined);
    const decided = await storage.put(text("y"), decision);
    await storage.put(text("y"), { ...artifact, codec: "dag-cbor" });
    await advance(100 * 86_400_000);
    strictEqual(await storage.has(decided.cid), true);
  }),
];

const heads: readonly StorageContractCase[] = [
  item("numbers and chains heads, and takes a repeat", async ({ storage, peer }) => {
    const lane = `p/t/r/${peer}`;
    const cid = await cidOf(text("1"), "dag-cbor");
    strictEqual(await storage.head(lane), undefined);
    const first = await storage.putHead({ lane, seq: 1, cid });
    strictEqual(first.head.prevHeadHash, null);
    strictEqual(first.head.author, peer);
    deepStrictEqual((await storage.putHead({ lane, seq: 1, cid })).head, first.head);
    const third = await storage.putHead({ lane, seq: 3, cid });
    strictEqual(third.head.prevHeadHash?.length, 32);
    deepStrictEqual(await storage.head(lane), third.head);
  }),
  item("refuses rollback, contradiction, and another peer's lane", async ({ storage, peer }) => {
    const lane = `p/t/r/${peer}`;
    const [one, two] = await Promise.all(["1", "2"].map((name) => cidOf(text(name), "dag-cbor")));
    ok(one !== undefined && two !== undefined);
    await storage.putHead({ lane, seq: 2, cid: one });
    await refused(storage.putHead({ lane, seq: 1, cid: one }), "dht-storage/rollback");
    await refused(storage.putHead({ lane, seq: 2, cid: two }), "dht-storage/equivocation");
    const other = `p/t/r/${peer.slice(0, -1)}${peer.endsWith("a") ? "b" : "a"}`;
    await refused(storage.putHead({ lane: other, seq: 1, cid: one }), "kernel/invalid-input");
    await refused(storage.putHead({ lane: "p/t", seq: 1, cid: one }), "kernel/invalid-input");
    strictEqual((await storage.head(lane))?.cid, one);
  }),
  item(
    "no longer answers a head past its time, and does not forget it",
    async ({ storage, peer, now, advance }) => {
      const lane = `p/t/r/${peer}`;
      const cid = await cidOf(text("1"), "dag-cbor");
      await storage.putHead({ lane, seq: 2, cid, validUntil: now() + 1000 });
      await advance(1000);
      strictEqual(await storage.head(lane), undefined);
      await refused(storage.putHead({ lane, seq: 1, cid }), "dht-storage/rollback");
    },
  ),
];

const life: readonly StorageContractCase[] = [
  item("does not begin a cancelled call", async ({ storage }) => {
    const signal = AbortSignal.abort(new Error("enough"));
    const cid = await cidOf(text("x"), "raw");
    await rejects(storage.put(text("x"), { ...artifact, signal }), /enough/);
    await rejects(storage.get(cid, { signal }), /enough/);
    await rejects(storage.head("a/b/c/d", { signal }), /enough/);
    strictEqual(await storage.has(cid), false);
  }),
  item("refuses every call once it is disposed", async ({ storage }) => {
    const { cid } = await storage.put(text("x"), artifact);
    await storage[Symbol.asyncDispose]();
    await refused(storage.put(text("x"), artifact), "dht-storage/closed");
    await refused(storage.get(cid), "dht-storage/closed");
    await refused(storage.has(cid), "dht-storage/closed");
    await storage[Symbol.asyncDispose]();
  }),
];

/** What every {@link DhtStorage} does for a peer that is alone. */
export const storageContract: readonly StorageContractCase[] = [...blobs, ...heads, ...life];

async function* chunks(bytes: Uint8Array, size: number): AsyncGenerator<Clean<Uint8Array>> {
  for (let at = 0; at < bytes.length; at += size) yield clean(bytes.slice(at, at + size));
}
