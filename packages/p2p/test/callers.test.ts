/** What callers without TypeScript may do, and calls to a node that is gone. */
import { InvalidInputError } from "@chorus/kernel";
import type { KadDHT } from "@libp2p/kad-dht";
import { describe, expect, it } from "vitest";
import { routing } from "../src/routing.ts";
import { echo, never } from "../src/testing/stream-cases.ts";
import { lab, TOPIC } from "./fixtures/mesh.ts";

const KEY = Uint8Array.of(1);

/** The field that a call, which must fail at once, complains of. */
async function blamed(call: () => unknown): Promise<unknown> {
  try {
    const made = call();
    // Only a promise may say it later: a list that fails at its first reading hides where the mistake is.
    if (made instanceof Promise) await made;
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidInputError);
    return (error as InvalidInputError).detail["path"];
  }
  return "nothing";
}

describe("a node", () => {
  it.each([undefined, {}, { signal: null }, { signal: new AbortController() }, { signal: "stop" }])(
    "refuses %s where a signal must be, by name and at the call",
    async (given) => {
      await using at = await lab();
      const { signer, streams, pubsub, routing: records } = await at.start();
      const options = given as unknown as { signal: AbortSignal };
      expect(await blamed(() => streams.open(signer.peer, "/x", options))).toBe("signal");
      expect(await blamed(() => streams.changes(options))).toBe("signal");
      expect(await blamed(() => pubsub.subscribe(TOPIC, options))).toBe("signal");
      expect(await blamed(() => records.provide(KEY, options))).toBe("signal");
      expect(await blamed(() => records.providers(KEY, options))).toBe("signal");
    },
  );

  it("refuses a protocol or handler that is none, by name", async () => {
    await using at = await lab();
    const { signer, streams } = await at.start();
    for (const protocol of [5, "", null, undefined, "/".repeat(257)] as string[]) {
      expect(await blamed(() => streams.handle(protocol, echo))).toBe("protocol");
      expect(await blamed(() => streams.open(signer.peer, protocol, never()))).toBe("protocol");
    }
    for (const handler of [undefined, null, "echo", {}])
      expect(await blamed(() => streams.handle("/z", handler as typeof echo))).toBe("handler");
    // Nothing of it is left.
    streams.handle("/z", echo);
  });

  it("refuses a key that is none, by name and at the call", async () => {
    await using at = await lab();
    const { routing: records } = await at.start();
    for (const key of ["x", Uint16Array.of(1), [1], undefined, new Uint8Array(), new Uint8Array(257)]) {
      expect(await blamed(() => records.provide(key as Uint8Array, never()))).toBe("key");
      expect(await blamed(() => records.providers(key as Uint8Array, never()))).toBe("key");
    }
  });

  it("says of every call that it is closed once it is disposed", async () => {
    await using at = await lab();
    const { signer, streams, pubsub, routing: records, ...node } = await at.start();
    const started = records.providers(KEY, never());
    await node[Symbol.asyncDispose]();
    const closed = { code: "p2p/closed" };
    for (const call of [
      async () => records.provide(KEY, never()),
      async () => records.providers(KEY, never()),
      async () => Array.fromAsync(started),
      async () => streams.open(signer.peer, "/x", never()),
      async () => streams.handle("/x", echo),
      async () => streams.changes(never()),
      async () => pubsub.publish(TOPIC, "late", null),
      async () => pubsub.subscribe(TOPIC, never()),
    ])
      await expect(call()).rejects.toMatchObject(closed);
  });

  it("tells a search that its node is closed, whatever became of it", async () => {
    let closed = false;
    const dht = {
      async *provide() {
        closed = true;
        yield await Promise.resolve();
      },
      async *findProviders() {
        yield* [];
        throw new Error("the table is empty");
      },
    };
    const records = routing(dht as unknown as KadDHT, () => closed);
    const found = records.providers(KEY, never());
    await expect(Array.fromAsync(records.providers(KEY, never()))).rejects.toThrow("the table is empty");
    await expect(records.provide(KEY, never())).rejects.toMatchObject({ code: "p2p/closed" });
    await expect(Array.fromAsync(found)).rejects.toMatchObject({ code: "p2p/closed" });
  });
});
