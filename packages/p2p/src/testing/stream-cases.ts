import assert from "node:assert/strict";
import type { PeerStream } from "@chorus/kernel";
import type { ContractCase } from "./contract-network.ts";

const ECHO = "/contract/echo/1.0.0";
const MIB = 1_048_576;

/** Rules of one conversation. */
export const streamCases: readonly ContractCase[] = [
  {
    name: "carries frames of every size whole and in order, both ways",
    run: async ({ members: [a, b] }) => {
      b.streams.handle(ECHO, echo);
      const frames = [0, 1, 127, 128, 65_536, 0, MIB].map((size, i) => new Uint8Array(size).fill(i));
      const stream = await a.streams.open(b.peer, ECHO, never());
      assert.equal(stream.peer, b.peer);
      const answers = Array.fromAsync(stream.frames);
      for (const frame of frames) await stream.send(frame);
      await stream.close();
      assert.deepEqual(await answers, frames);
    },
  },
  {
    name: "tells the handler who has opened the stream",
    run: async ({ members: [a, b] }) => {
      const asked = Promise.withResolvers<string>();
      b.streams.handle(ECHO, async ({ peer }) => asked.resolve(peer));
      await a.streams.open(b.peer, ECHO, never());
      assert.equal(await asked.promise, a.peer);
    },
  },
  {
    name: "lets one side go on sending after the other has closed",
    run: async ({ members: [a, b] }) => {
      b.streams.handle(ECHO, async (stream) => {
        const all = await Array.fromAsync(stream.frames);
        await stream.send(Uint8Array.of(all.length));
        await stream.close();
      });
      const stream = await a.streams.open(b.peer, ECHO, never());
      for (const n of [1, 2, 3]) await stream.send(Uint8Array.of(n));
      await stream.close();
      assert.deepEqual(await Array.fromAsync(stream.frames), [Uint8Array.of(3)]);
    },
  },
  {
    name: "lets the caller reuse its buffer after a send",
    run: async ({ members: [a, b] }) => {
      b.streams.handle(ECHO, echo);
      const stream = await a.streams.open(b.peer, ECHO, never());
      const buffer = Buffer.alloc(4);
      for (const n of [1, 2, 3]) await stream.send(buffer.fill(n));
      await stream.close();
      const values = (await Array.fromAsync(stream.frames)).map((frame) => [...frame]);
      assert.deepEqual(values, [
        [1, 1, 1, 1],
        [2, 2, 2, 2],
        [3, 3, 3, 3],
      ]);
    },
  },
  {
    name: "keeps frames of concurrent senders whole and in order",
    run: async ({ members: [a, b] }) => {
      b.streams.handle(ECHO, echo);
      const stream = await a.streams.open(b.peer, ECHO, never());
      const answers = Array.fromAsync(stream.frames);
      const frames = Array.from({ length: 20 }, (_, i) => new Uint8Array(50_000).fill(i));
      await Promise.all(frames.map((frame) => stream.send(frame)));
      await stream.close();
      assert.deepEqual(await answers, frames);
    },
  },
  {
    name: "breaks both sides when one aborts",
    run: async ({ members: [a, b] }) => {
      const broken = Promise.withResolvers<unknown>();
      b.streams.handle(ECHO, async ({ frames }) => {
        await Array.fromAsync(frames).catch(broken.resolve);
      });
      const stream = await a.streams.open(b.peer, ECHO, never());
      await stream.send(Uint8Array.of(1));
      stream.abort(new Error("changed my mind"));
      assert.ok((await broken.promise) instanceof Error);
      await assert.rejects(Array.fromAsync(stream.frames), { message: "changed my mind" });
      await assert.rejects(stream.send(Uint8Array.of(2)), { message: "changed my mind" });
    },
  },
  {
    name: "breaks a stream when the signal that opened it fires",
    run: async ({ members: [a, b] }) => {
      b.streams.handle(ECHO, echo);
      const stop = new AbortController();
      const stream = await a.streams.open(b.peer, ECHO, stop);
      const reading = Array.fromAsync(stream.frames);
      stop.abort(new Error("enough"));
      await assert.rejects(reading, { message: "enough" });
    },
  },
  {
    name: "breaks only its own stream when a handler throws",
    run: async ({ members: [a, b] }) => {
      b.streams.handle(ECHO, echo);
      b.streams.handle("/contract/faulty/1.0.0", async () => Promise.reject(new Error("bug")));
      const good = await a.streams.open(b.peer, ECHO, never());
      const bad = await a.streams.open(b.peer, "/contract/faulty/1.0.0", never());
      await assert.rejects(Array.fromAsync(bad.frames));
      await good.send(Uint8Array.of(7));
      await good.close();
      assert.deepEqual(await Array.fromAsync(good.frames), [Uint8Array.of(7)]);
    },
  },
  {
    name: "lets other streams pass one that nobody reads",
    run: async ({ members: [a, b] }) => {
      b.streams.handle(ECHO, echo);
      const arrived = Promise.withResolvers<PeerStream>();
      b.streams.handle("/contract/silent/1.0.0", async (stream) => arrived.resolve(stream));
      const silent = await a.streams.open(b.peer, "/contract/silent/1.0.0", never());
      const sending = (async () => {
        for (let i = 0; i < 16; i++) await silent.send(new Uint8Array(MIB).fill(i));
        await silent.close();
      })();
      const stream = await a.streams.open(b.peer, ECHO, never());
      for (let i = 0; i < 50; i++) await stream.send(new Uint8Array(1000).fill(i));
      await stream.close();
      assert.equal((await Array.fromAsync(stream.frames)).length, 50);
      const late = await Array.fromAsync((await arrived.promise).frames, ({ length, [0]: fill }) => [
        length,
        fill,
      ]);
      await sending;
      assert.deepEqual(
        late,
        Array.from({ length: 16 }, (_, i) => [MIB, i]),
      );
    },
  },
  {
    name: "makes a sender wait for a reader that does not read",
    run: async ({ members: [a, b] }) => {
      const arrived = Promise.withResolvers<PeerStream>();
      b.streams.handle(ECHO, async (stream) => arrived.resolve(stream));
      const stream = await a.streams.open(b.peer, ECHO, never());
      let sent = 0;
      const sending = (async () => {
        for (; sent < 32; sent++) await stream.send(new Uint8Array(MIB).fill(sent));
        await stream.close();
      })();
      const { frames } = await arrived.promise;
      // Time enough for all of it, if the sender did not wait.
      b.streams.handle("/contract/other/1.0.0", echo);
      const other = await a.streams.open(b.peer, "/contract/other/1.0.0", never());
      const answers = other.frames[Symbol.asyncIterator]();
      for (let i = 0; i < 200; i++) {
        await other.send(Uint8Array.of(i));
        await answers.next();
      }
      let received = 0;
      for await (const frame of frames) {
        assert.equal(frame[0], received++);
        assert.ok(sent - received <= 8, `${sent - received} MiB are ahead of the reader`);
      }
      await sending;
      assert.equal(received, 32);
    },
  },
  {
    name: "refuses a frame that is too large, and goes on",
    run: async ({ members: [a, b] }) => {
      b.streams.handle(ECHO, echo);
      const stream = await a.streams.open(b.peer, ECHO, never());
      await assert.rejects(stream.send(new Uint8Array(1_572_865)), { code: "kernel/invalid-input" });
      await stream.send(Uint8Array.of(1));
      await stream.close();
      assert.deepEqual(await Array.fromAsync(stream.frames), [Uint8Array.of(1)]);
    },
  },
  {
    name: "refuses a frame that is no bytes, and goes on",
    run: async ({ members: [a, b] }) => {
      b.streams.handle(ECHO, echo);
      const stream = await a.streams.open(b.peer, ECHO, never());
      const others: readonly unknown[] = ["hello", Uint16Array.of(513), [1], new ArrayBuffer(1), undefined];
      for (const frame of others) {
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what callers without types may do
        const sending = stream.send(frame as Uint8Array);
        const detail = { path: "frame", problem: "must be bytes" };
        await assert.rejects(sending, { code: "kernel/invalid-input", detail });
      }
      await stream.send(Buffer.of(1));
      await stream.close();
      assert.deepEqual(await Array.fromAsync(stream.frames), [Uint8Array.of(1)]);
    },
  },
  {
    name: "refuses to send after its own close",
    run: async ({ members: [a, b] }) => {
      b.streams.handle(ECHO, echo);
      const stream = await a.streams.open(b.peer, ECHO, never());
      await stream.close();
      await assert.rejects(stream.send(Uint8Array.of(1)), { retryable: true });
    },
  },
];

/** Sends everything back, and closes when the other side has. */
export async function echo(stream: PeerStream): Promise<void> {
  for await (const frame of stream.frames) await stream.send(frame);
  await stream.close();
}

/** The options of a call that nobody cancels. */
export function never(): { signal: AbortSignal } {
  return { signal: new AbortController().signal };
}
