import { describe, expect, it } from "vitest";
import { createSigner } from "../src/index.ts";
import { manualClock, memoryNetwork } from "../src/testing/index.ts";

const signers = await Promise.all([1, 2].map((n) => createSigner(new Uint8Array(32).fill(n))));

describe("memoryNetwork", () => {
  it("carries frames both ways and tells of lost links", async () => {
    const network = memoryNetwork();
    const [a, b] = signers.map((signer) => network.join(signer));
    if (!a || !b) throw new Error("two peers expected");
    b.streams.handle("/echo", async (stream) => {
      for await (const frame of stream.frames) await stream.send(frame);
      await stream.close();
    });
    const signal = new AbortController().signal;
    const stream = await a.streams.open(b.peer, "/echo", { signal });
    await stream.send(Uint8Array.of(1, 2));
    await stream.close();
    expect(await Array.fromAsync(stream.frames)).toEqual([Uint8Array.of(1, 2)]);

    const lost = await a.streams.open(b.peer, "/echo", { signal });
    network.cut(a.peer, b.peer);
    await expect(Array.fromAsync(lost.frames)).rejects.toThrow("link lost");
    await expect(a.streams.open(b.peer, "/echo", { signal })).rejects.toMatchObject({ retryable: true });
  });
  it("delivers to subscribers, not to the sender", async () => {
    const network = memoryNetwork();
    const [a, b] = signers.map((signer) => network.join(signer));
    if (!a || !b) throw new Error("two peers expected");
    const stop = new AbortController();
    const heard = b.pubsub.subscribe("topic", stop);
    const own = a.pubsub.subscribe("topic", stop);
    await a.pubsub.publish("topic", "kind", { n: 1 });
    stop.abort();
    expect((await Array.fromAsync(heard)).map((envelope) => envelope.body)).toEqual([{ n: 1 }]);
    expect(await Array.fromAsync(own)).toEqual([]);
  });
});

describe("manualClock", () => {
  it("wakes sleepers in order and only when it is moved", async () => {
    const clock = manualClock(0);
    const woken: number[] = [];
    for (const ms of [20, 10, 30]) void clock.sleep(ms).then(() => woken.push(ms));
    await clock.advance(25);
    expect(woken).toEqual([10, 20]);
    expect(clock.now()).toBe(25);
  });
});
