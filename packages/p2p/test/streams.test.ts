import { InvalidInputError, type PeerStream } from "@chorus/kernel";
import { noise } from "@libp2p/noise";
import { describe, expect, it } from "vitest";
import { MAX_FRAME_BYTES } from "../src/frames.ts";
import { echo, never } from "../src/testing/stream-cases.ts";
import { lab, whole } from "./fixtures/mesh.ts";
import { addressOf, stranger } from "./fixtures/stranger.ts";

const ECHO = "/test/echo/1.0.0";
const SINK = "/test/sink/1.0.0";
const MIB = 1_048_576;

async function pair() {
  const at = await lab();
  const a = await at.start();
  const b = await at.start({ bootstrap: a.addresses() });
  await whole([a, b]);
  return { at, a, b, [Symbol.asyncDispose]: () => at[Symbol.asyncDispose]() };
}

describe("streams", () => {
  it("make a sender wait for a reader that does not read, then deliver everything", async () => {
    await using mesh = await pair();
    const { a, b } = mesh;
    const arrived = Promise.withResolvers<PeerStream>();
    b.streams.handle(SINK, async (stream) => arrived.resolve(stream));
    b.streams.handle(ECHO, echo);
    const stream = await a.streams.open(b.signer.peer, SINK, never());
    let sent = 0;
    const sending = (async () => {
      for (let i = 0; i < 48; i++) {
        await stream.send(new Uint8Array(MIB).fill(i));
        sent++;
      }
      await stream.close();
    })();
    // As long as 48 MiB would take, on another stream of the same connection.
    const other = await a.streams.open(b.signer.peer, ECHO, never());
    const answers = Array.fromAsync(other.frames);
    for (let i = 0; i < 48; i++) await other.send(new Uint8Array(MIB));
    await other.close();
    expect((await answers).length).toBe(48);
    expect(sent).toBeLessThan(8);
    let n = 0;
    for await (const frame of (await arrived.promise).frames) {
      expect(frame.length === MIB && frame[0] === n && frame[MIB - 1] === n).toBe(true);
      n++;
    }
    await sending;
    expect(n).toBe(48);
  });

  it("deliver what was sent before a close to a reader that comes late", async () => {
    await using mesh = await pair();
    const { a, b } = mesh;
    const arrived = Promise.withResolvers<PeerStream>();
    b.streams.handle(SINK, async (stream) => {
      await stream.close();
      arrived.resolve(stream);
    });
    const stream = await a.streams.open(b.signer.peer, SINK, never());
    expect(await Array.fromAsync(stream.frames)).toEqual([]);
    for (let i = 0; i < 5; i++) await stream.send(new Uint8Array(100_000).fill(i));
    await stream.close();
    await stream.close();
    const late = await arrived.promise;
    const frames: number[] = [];
    // Two readers in turn: leaving the first loop loses nothing.
    for await (const frame of late.frames) {
      frames.push(frame[0]!);
      if (frames.length === 2) break;
    }
    for await (const frame of late.frames) frames.push(frame[0]!);
    expect(frames).toEqual([0, 1, 2, 3, 4]);
  });

  it("refuse a frame that is too large before it leaves", async () => {
    await using mesh = await pair();
    const { a, b } = mesh;
    b.streams.handle(ECHO, echo);
    const stream = await a.streams.open(b.signer.peer, ECHO, never());
    await expect(stream.send(new Uint8Array(MAX_FRAME_BYTES + 1))).rejects.toBeInstanceOf(InvalidInputError);
    await stream.send(new Uint8Array(MAX_FRAME_BYTES));
    await stream.close();
    const [frame] = await Array.fromAsync(stream.frames);
    expect(frame?.length).toBe(MAX_FRAME_BYTES);
  });

  it("are lost, not ended, when the other side goes away without closing", async () => {
    await using mesh = await pair();
    const { a, b } = mesh;
    b.streams.handle(SINK, async (stream) => stream.send(Uint8Array.of(1)));
    const stream = await a.streams.open(b.signer.peer, SINK, never());
    const reading = Array.fromAsync(stream.frames, (frame) => frame);
    const lost = expect(reading).rejects.toMatchObject({ code: "p2p/stream-lost", retryable: true });
    await b[Symbol.asyncDispose]();
    await lost;
    await expect(stream.send(Uint8Array.of(1))).rejects.toMatchObject({ code: "p2p/stream-lost" });
    await stream.close();
  });

  it("are limited in number for each peer and protocol, and others go on", async () => {
    await using mesh = await pair();
    const { a, b } = mesh;
    b.streams.handle(SINK, async (stream) => stream.send(Uint8Array.of(1)));
    b.streams.handle(ECHO, echo);
    const opened = await Promise.allSettled(
      Array.from({ length: 200 }, async () => {
        const stream = await a.streams.open(b.signer.peer, SINK, never());
        for await (const _ of stream.frames) break;
        return stream;
      }),
    );
    const held = opened.filter(({ status }) => status === "fulfilled");
    expect(held.length).toBeGreaterThanOrEqual(64);
    // Two connections at most, 64 on each.
    expect(held.length).toBeLessThanOrEqual(128);
    const stream = await a.streams.open(b.signer.peer, ECHO, never());
    await stream.send(Uint8Array.of(9));
    await stream.close();
    expect(await Array.fromAsync(stream.frames)).toEqual([Uint8Array.of(9)]);
  });

  it("are served once for each protocol", async () => {
    await using mesh = await pair();
    const { a } = mesh;
    a.streams.handle(ECHO, echo);
    expect(() => a.streams.handle(ECHO, echo)).toThrow("is served already");
  });

  it("break when the other side breaks the framing, and only they", async () => {
    await using at = await lab();
    const node = await at.start({ clusterSecret: undefined as never });
    const failed = Promise.withResolvers<unknown>();
    node.streams.handle(SINK, async (stream) => {
      await Array.fromAsync(stream.frames).catch(failed.resolve);
    });
    node.streams.handle(ECHO, echo);
    const other = await at.start({ clusterSecret: undefined as never, bootstrap: node.addresses() });
    const libp2p = await stranger(at, noise);
    const raw = await libp2p.dialProtocol(addressOf(node), SINK);
    raw.send(new Uint8Array(5).fill(0xff));
    expect(await failed.promise).toMatchObject({ code: "p2p/stream-lost" });
    const stream = await other.streams.open(node.signer.peer, ECHO, never());
    await stream.send(Uint8Array.of(1));
    await stream.close();
    expect(await Array.fromAsync(stream.frames)).toEqual([Uint8Array.of(1)]);
  });
});

describe("provider records", () => {
  it("are found from every peer, each provider once", async () => {
    await using at = await lab();
    const a = await at.start();
    const bootstrap = a.addresses();
    const [b, c] = await Promise.all([at.start({ bootstrap }), at.start({ bootstrap })]);
    await whole([a, b, c]);
    const key = new TextEncoder().encode("block");
    const nobody = await Array.fromAsync(a.routing.providers(key, never()));
    expect(nobody).toEqual([]);
    await b.routing.provide(key, never());
    await c.routing.provide(key, never());
    for (const node of [a, b, c]) {
      const found = await Array.fromAsync(node.routing.providers(key, never()));
      expect(found.toSorted()).toEqual([b.signer.peer, c.signer.peer].toSorted());
    }
  });

  it("can be made alone, and say why a search was cancelled", async () => {
    await using at = await lab();
    const node = await at.start();
    await node.routing.provide(Uint8Array.of(1), never());
    expect(await Array.fromAsync(node.routing.providers(Uint8Array.of(1), never()))).toEqual([
      node.signer.peer,
    ]);
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(node.routing.provide(Uint8Array.of(1), { signal })).rejects.toThrow("enough");
    await expect(Array.fromAsync(node.routing.providers(Uint8Array.of(1), { signal }))).rejects.toThrow(
      "enough",
    );
    await expect(node.routing.provide(new Uint8Array(257), never())).rejects.toMatchObject({
      detail: { path: "key" },
    });
  });
});
