import { readdirSync } from "node:fs";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { cidOf, type PeerStream, type Streams } from "@chorus/kernel";
import { manualClock } from "@chorus/kernel/testing";
import { describe, expect, it } from "vitest";
import {
  clean,
  collect,
  content,
  inChunks,
  setup,
  signerOf,
  text,
  until,
  type Member,
} from "./fixtures/mesh.ts";

const artifact = { codec: "raw", class: "artifact" } as const;
const MIB = 1_048_576;
const isBlock = (frame: Uint8Array): boolean => frame[0] === 0;
const blocksSent = ({ sent }: Member): number => sent.filter(isBlock).length;

interface Link {
  readonly change: (streams: Streams) => Streams;
  heal(): void;
}

/** A link that breaks once this peer has sent so many blocks, all of which have reached the other disk. */
function breakingLink(
  sent: { readonly asServer: number; readonly asClient: number },
  arrived: (blocks: number) => boolean,
): Link {
  let isHealed = false;
  const change = (streams: Streams): Streams => {
    const breaking = (stream: PeerStream, most: number): PeerStream => {
      let blocks = 0;
      return {
        ...stream,
        send: async (frame) => {
          if (isBlock(frame) && !isHealed && blocks++ >= most) {
            await until(() => arrived(most));
            throw new Error("the link broke");
          }
          return stream.send(frame);
        },
      };
    };
    return {
      ...streams,
      handle: (protocol, handler) =>
        streams.handle(protocol, (stream) => handler(breaking(stream, sent.asServer))),
      open: async (peer, protocol, options) =>
        breaking(await streams.open(peer, protocol, options), sent.asClient),
    };
  };
  return { change, heal: () => void (isHealed = true) };
}

describe("large blobs", () => {
  it("resume a broken read by block, even after a restart", async () => {
    await using mesh = setup();
    const directory = join(mesh.directory, "b");
    const link = breakingLink({ asServer: 3, asClient: 0 }, (most) => filesOf({ directory }).length >= most);
    const bytes = content(8 * MIB);
    const a = await mesh.join("a", { streams: link.change });
    const { cid } = await a.storage.putStream(inChunks(bytes, MIB), artifact);
    const b = await mesh.join("b", { directory });
    expect(await b.storage.get(cid)).toBeUndefined();
    expect(await b.storage.has(cid)).toBe(false);
    expect(filesOf(b)).toHaveLength(3);
    await b.stop();
    link.heal();
    a.sent.length = 0;
    // Reads only: what the other offers by itself would be counted too.
    const readOnly = (streams: Streams): Streams => ({
      ...streams,
      handle: () => ({ [Symbol.dispose]: () => undefined }),
    });
    const later = await mesh.join("b", { directory, streams: readOnly });
    expect(Buffer.compare((await later.storage.get(cid))!, bytes)).toBe(0);
    expect(blocksSent(a)).toBe(9 - 3);
  });

  it("resume a broken put by block: a storer asks only for what it lacks", async () => {
    await using mesh = setup();
    const directory = join(mesh.directory, "b");
    const link = breakingLink({ asServer: 0, asClient: 5 }, (most) => filesOf({ directory }).length >= most);
    const clock = manualClock();
    const a = await mesh.join("a", { streams: link.change, clock });
    const b = await mesh.join("b", { directory, clock });
    const bytes = content(8 * MIB);
    const first = await a.storage.putStream(inChunks(bytes, 300_000), artifact);
    expect(first).toMatchObject({ replicas: 1, degraded: true });
    expect(await b.storage.has(first.cid)).toBe(false);
    expect(blocksSent(a)).toBe(5);
    link.heal();
    const second = await a.storage.putStream(inChunks(bytes, 300_000), artifact);
    expect(second).toMatchObject({ cid: first.cid, replicas: 2, degraded: false });
    expect(blocksSent(a)).toBe(9);
  });

  it("do not stand in memory, going in or out", async () => {
    await using mesh = setup();
    const a = await mesh.join("a");
    const piece = content(MIB);
    const count = 24;
    setFlagsFromString("--expose-gc");
    const collectGarbage = runInNewContext("gc") as () => void;
    // Buffers are given back only after a turn of the event loop.
    const live = async (): Promise<number> => {
      for (let i = 0; i < 3; i++) {
        collectGarbage();
        await new Promise((resolve) => setImmediate(resolve));
      }
      return process.memoryUsage().arrayBuffers;
    };
    const before = await live();
    let peak = 0;
    const source = async function* () {
      for (let i = 0; i < count; i++) {
        if (i % 6 === 5) peak = Math.max(peak, await live());
        yield piece;
      }
    };
    const { cid } = await a.storage.putStream(source(), artifact);
    let length = 0;
    for await (const chunk of (await a.storage.getStream(cid))!) {
      const at = length % MIB;
      expect(Buffer.compare(chunk, piece.subarray(at, at + chunk.length))).toBe(0);
      length += chunk.length;
      if (length % (6 * MIB) === 0) peak = Math.max(peak, await live());
    }
    expect(length).toBe(count * MIB);
    expect(peak).toBeGreaterThan(0);
    expect(peak - before).toBeLessThan(10 * MIB);
  });

  it("stop at the bound of their class and leave nothing behind", async () => {
    await using mesh = setup();
    const a = await mesh.join("a", { maxArtifactBytes: 3 * MIB });
    let left = false;
    const source = async function* () {
      try {
        for (;;) yield content(MIB);
      } finally {
        left = true;
      }
    };
    await expect(a.storage.putStream(source(), artifact)).rejects.toMatchObject({
      code: "dht-storage/too-large",
      detail: { class: "artifact", limit: 3 * MIB },
    });
    await until(() => left);
    expect(filesOf(a)).toEqual([]);
    await expect(a.storage.put(content(262_145), { codec: "raw", class: "decision" })).rejects.toMatchObject({
      code: "dht-storage/too-large",
    });
  });

  it("end with what their source throws, and leave nothing behind", async () => {
    await using mesh = setup();
    const a = await mesh.join("a");
    const failure = new Error("the disk of the user is gone");
    const source = async function* () {
      yield content(2 * MIB);
      throw failure;
    };
    await expect(a.storage.putStream(source(), artifact)).rejects.toBe(failure);
    expect(filesOf(a)).toEqual([]);
  });
});

describe("cancelling", () => {
  it("ends a put whose source hangs, with the caller's reason", async () => {
    await using mesh = setup();
    const a = await mesh.join("a");
    const cancel = new AbortController();
    const started = Promise.withResolvers<void>();
    const source = async function* () {
      yield content(100);
      started.resolve();
      await new Promise(() => undefined);
    };
    const put = a.storage.putStream(source(), { ...artifact, signal: cancel.signal });
    await started.promise;
    cancel.abort(new Error("enough"));
    await expect(put).rejects.toThrow("enough");
  });

  it("ends a get that waits for a silent peer; a cancelled call does not begin", async () => {
    await using mesh = setup();
    const a = await mesh.join("a");
    const silent = mesh.network.join(await signerOf("silent"));
    const asked = Promise.withResolvers<void>();
    silent.streams.handle("/chorus/blob/1.0.0", async () => {
      asked.resolve();
      await new Promise(() => undefined);
    });
    const cancel = new AbortController();
    const cid = await cidOf(text("x"), "raw");
    const get = a.storage.get(cid, { signal: cancel.signal });
    await asked.promise;
    cancel.abort(new Error("enough"));
    await expect(get).rejects.toThrow("enough");
    await expect(a.storage.get(cid, { signal: cancel.signal })).rejects.toThrow("enough");
  });
});

describe("room and time", () => {
  it("refuses what is over the capacity, keeps what is there, and finds room when something expires", async () => {
    await using mesh = setup();
    const clock = manualClock();
    const a = await mesh.join("a", { clock, capacityBytes: 2 * MIB });
    const kept = await a.storage.put(content(MIB, 1), { ...artifact, expiresAt: clock.now() + 1000 });
    await expect(a.storage.put(content(MIB, 2), artifact)).rejects.toMatchObject({
      code: "dht-storage/full",
      retryable: true,
    });
    await expect(a.storage.putStream(inChunks(content(3 * MIB), MIB), artifact)).rejects.toMatchObject({
      code: "dht-storage/full",
    });
    expect(filesOf(a)).toHaveLength(1);
    expect(await a.storage.has(kept.cid)).toBe(true);
    await clock.advance(1000);
    expect(await a.storage.has(kept.cid)).toBe(false);
    expect(await a.storage.get(kept.cid)).toBeUndefined();
    expect(await a.storage.put(content(MIB, 2), artifact)).toMatchObject({ replicas: 1 });
    expect(filesOf(a)).toHaveLength(1);
  });

  it("answers a read although there is no room to keep it, up to one block", async () => {
    await using mesh = setup();
    const a = await mesh.join("a");
    const b = await mesh.join("b", { capacityBytes: 1000 });
    const small = await a.storage.put(content(5000), artifact);
    const large = await a.storage.put(content(2 * MIB), artifact);
    expect(await b.storage.get(small.cid)).toEqual(new Uint8Array(content(5000)));
    expect(await b.storage.has(small.cid)).toBe(false);
    await expect(b.storage.get(large.cid)).rejects.toMatchObject({ code: "dht-storage/full" });
  });

  it("keeps each class for its time", async () => {
    await using mesh = setup();
    const clock = manualClock();
    const a = await mesh.join("a", { clock });
    const day = 86_400_000;
    const cids = await Promise.all(
      (["ephemeral", "artifact", "decision"] as const).map(
        async (name) => (await a.storage.put(text(name), { codec: "raw", class: name })).cid,
      ),
    );
    const left = async (): Promise<boolean[]> => Promise.all(cids.map((cid) => a.storage.has(cid)));
    await clock.advance(day);
    expect(await left()).toEqual([false, true, true]);
    await clock.advance(90 * day);
    expect(await left()).toEqual([false, false, true]);
    await expect(
      a.storage.put(text("x"), { codec: "raw", class: "decision", expiresAt: clock.now() }),
    ).rejects.toMatchObject({ code: "kernel/invalid-input" });
  });

  it("makes one envelope of one content, and a new one when it should be kept longer", async () => {
    await using mesh = setup();
    const clock = manualClock();
    const a = await mesh.join("a", { clock });
    const b = await mesh.join("b", { clock });
    const once = { codec: "raw", class: "artifact", expiresAt: clock.now() + 1000 } as const;
    const { cid } = await a.storage.put(content(100_000), once);
    await a.storage.put(content(100_000), once);
    expect(filesOf(a)).toHaveLength(1);
    await a.storage.put(content(100_000), { codec: "raw", class: "decision" });
    expect(filesOf(a)).toHaveLength(1);
    await clock.advance(1000);
    for (const { storage } of [a, b]) expect(await storage.has(cid)).toBe(true);
  });
});

describe("a promise to keep something", () => {
  it("is not cut short by its author putting it again with a lost disk", async () => {
    await using mesh = setup();
    const clock = manualClock();
    const a = await mesh.join("a", { clock });
    const b = await mesh.join("b", { clock });
    const { cid } = await a.storage.put(text("decided"), { codec: "raw", class: "decision" });
    await a.wipe();
    await clock.advance(10);
    const reborn = await mesh.join("a", { clock });
    const again = await reborn.storage.put(text("decided"), { codec: "raw", class: "ephemeral" });
    expect(again).toMatchObject({ cid, replicas: 2 });
    await clock.advance(2 * 86_400_000);
    expect(await b.storage.has(cid)).toBe(true);
    expect(await reborn.storage.get(cid)).toEqual(new Uint8Array(text("decided")));
  });
});

describe("the whole of it", () => {
  it("is the same for any bytes, codec and chunking", async () => {
    await using mesh = setup();
    const a = await mesh.join("a");
    for (const codec of ["raw", "dag-cbor"] as const) {
      const bytes = clean(new Uint8Array([0xa1, 0x61, 0x78, 1]));
      const { cid } = await a.storage.put(bytes, { codec, class: "decision" });
      expect(cid).toBe(await cidOf(bytes, codec));
      expect(await collect(await a.storage.getStream(cid))).toEqual(new Uint8Array(bytes));
    }
  });
});

function filesOf({ directory }: { readonly directory: string }): string[] {
  return readdirSync(join(directory, "blocks"), { recursive: true, encoding: "utf8" }).filter(
    (name) => name.length > 64,
  );
}
