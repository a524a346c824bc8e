import assert from "node:assert/strict";
import type { Envelope } from "@chorus/kernel";
import type { ContractCase } from "./contract-network.ts";

/** Rules of PubSub. */
export const pubsubCases: readonly ContractCase[] = [
  {
    name: "delivers a message to every other member and not to its sender",
    run: async ({ members: [a, b, c], topic, cluster }) => {
      const stop = new AbortController();
      const own = Array.fromAsync(a.pubsub.subscribe(topic, stop));
      const heard = [b, c].map((member) => take(member.pubsub.subscribe(topic, stop), "greeting", 1));
      await a.pubsub.publish(topic, "greeting", { text: "hello", bytes: Uint8Array.of(1, 2) });
      for (const [envelope] of await Promise.all(heard)) {
        assert.ok(envelope, "the subscription ended without a message");
        assert.equal(envelope.from, a.peer);
        assert.equal(envelope.cluster, cluster);
        assert.deepEqual(envelope.body, { text: "hello", bytes: Uint8Array.of(1, 2) });
      }
      stop.abort();
      assert.ok((await own).every(({ from }) => from !== a.peer));
    },
  },
  {
    name: "delivers to every reader of a member, each with all messages",
    run: async ({ members: [a, b], topic }) => {
      const stop = new AbortController();
      const readers = [1, 2].map(() => take(b.pubsub.subscribe(topic, stop), "count", 3));
      for (const n of [1, 2, 3]) await a.pubsub.publish(topic, "count", n);
      for (const envelopes of await Promise.all(readers))
        assert.deepEqual(new Set(envelopes.map(({ body }) => body)), new Set([1, 2, 3]));
      stop.abort();
    },
  },
  {
    name: "ends a subscription when its signal fires",
    run: async ({ members: [a], topic }) => {
      const stop = new AbortController();
      const reading = Array.fromAsync(a.pubsub.subscribe(topic, stop));
      stop.abort();
      await reading;
      assert.deepEqual(await Array.fromAsync(a.pubsub.subscribe(topic, stop)), []);
    },
  },
  {
    name: "refuses to publish a body over 64 KiB",
    run: async ({ members: [a], topic }) => {
      const publishing = a.pubsub.publish(topic, "large", new Uint8Array(65_537));
      await assert.rejects(publishing, { code: "kernel/invalid-input" });
    },
  },
  {
    name: "drops the oldest for a slow reader, and nothing for a quick one",
    run: async ({ members: [a, b], topic }) => {
      const stop = new AbortController();
      const slow = b.pubsub.subscribe(topic, stop)[Symbol.asyncIterator]();
      const quick = b.pubsub.subscribe(topic, stop);
      const asked = slow.next();
      for (let round = 0; round < 3; round++) {
        const heard = take(quick, `round-${round}`, 100);
        for (let n = 0; n < 100; n++) await a.pubsub.publish(topic, `round-${round}`, n);
        assert.equal(new Set((await heard).map(({ body }) => body)).size, 100);
      }
      stop.abort();
      const kept = [await asked];
      for (let next = await slow.next(); next.done !== true; next = await slow.next()) kept.push(next);
      assert.ok(kept.length > 100 && kept.length <= 257, `${kept.length} are kept`);
      const last = kept.filter(({ value }) => value?.type === "round-2");
      assert.equal(last.length, 100);
    },
  },
  {
    name: "refuses to publish what no envelope carries",
    run: async ({ members: [a], topic }) => {
      const publishing = a.pubsub.publish(topic, "number", Number.NaN);
      await assert.rejects(publishing, { code: "kernel/invalid-input" });
    },
  },
  {
    name: "goes on beside a stream that nobody reads",
    run: async ({ members: [a, b], topic }) => {
      const stop = new AbortController();
      b.streams.handle("/contract/silent/1.0.0", async () => new Promise(() => undefined));
      const silent = await a.streams.open(b.peer, "/contract/silent/1.0.0", stop);
      const stuck = assert.rejects(async () => {
        for (;;) await silent.send(new Uint8Array(1_048_576));
      });
      const heard = take(b.pubsub.subscribe(topic, stop), "beside", 20);
      for (let n = 0; n < 20; n++) await a.pubsub.publish(topic, "beside", n);
      assert.equal((await heard).length, 20);
      stop.abort(new Error("done"));
      await stuck;
    },
  },
];

/** The first messages of a type; others may still be on their way from the set-up. */
async function take(messages: AsyncIterable<Envelope>, type: string, count: number): Promise<Envelope[]> {
  const taken: Envelope[] = [];
  // A loop over the same subscription may follow: this one must not end it.
  const reader = messages[Symbol.asyncIterator]();
  for (let next = await reader.next(); next.done !== true; next = await reader.next()) {
    const message = next.value;
    if (message.type !== type) continue;
    taken.push(message);
    if (taken.length === count) break;
  }
  return taken;
}
