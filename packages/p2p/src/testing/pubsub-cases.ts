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
];

/** The first messages of a type; others may still be on their way from the set-up. */
async function take(messages: AsyncIterable<Envelope>, type: string, count: number): Promise<Envelope[]> {
  const taken: Envelope[] = [];
  for await (const message of messages) {
    if (message.type !== type) continue;
    taken.push(message);
    if (taken.length === count) break;
  }
  return taken;
}
