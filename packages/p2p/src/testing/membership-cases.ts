import assert from "node:assert/strict";
import type { ContractCase } from "./contract-network.ts";
import { echo, never } from "./stream-cases.ts";

const ECHO = "/contract/echo/1.0.0";

/** Rules of who is there and who can be reached. */
export const membershipCases: readonly ContractCase[] = [
  {
    name: "lists the other members, sorted",
    run: async ({ members }) => {
      for (const { peer, streams } of members) {
        const others = members.map((member) => member.peer).filter((other) => other !== peer);
        assert.deepEqual(streams.peers(), others.toSorted());
      }
    },
  },
  {
    name: "refuses a protocol that the peer does not serve, retryably",
    run: async ({ members: [a, b] }) => {
      await assert.rejects(a.streams.open(b.peer, "/contract/unknown/1.0.0", never()), { retryable: true });
    },
  },
  {
    name: "stops serving when the handle is disposed",
    run: async ({ members: [a, b] }) => {
      const handle = b.streams.handle(ECHO, echo);
      await a.streams.open(b.peer, ECHO, never());
      handle[Symbol.dispose]();
      await assert.rejects(a.streams.open(b.peer, ECHO, never()), { retryable: true });
      b.streams.handle(ECHO, echo);
      await a.streams.open(b.peer, ECHO, never());
    },
  },
  {
    name: "refuses a second handler for a protocol",
    run: async ({ members: [a, b] }) => {
      b.streams.handle(ECHO, echo);
      assert.throws(() => b.streams.handle(ECHO, echo), { code: "kernel/invalid-input" });
      await a.streams.open(b.peer, ECHO, never());
    },
  },
  {
    name: "opens nothing for a signal that has fired, and says its reason",
    run: async ({ members: [a, b] }) => {
      b.streams.handle(ECHO, echo);
      const signal = AbortSignal.abort(new Error("too late"));
      await assert.rejects(a.streams.open(b.peer, ECHO, { signal }), { message: "too late" });
    },
  },
  {
    name: "tells of a member that leaves, breaks its streams, and cannot reach it any more",
    run: async ({ members: [a, b, c] }) => {
      b.streams.handle(ECHO, echo);
      const stop = new AbortController();
      const news = a.streams.changes(stop)[Symbol.asyncIterator]();
      const stream = await a.streams.open(b.peer, ECHO, never());
      const broken = assert.rejects(Array.fromAsync(stream.frames));
      await b.leave();
      await broken;
      assert.deepEqual(await news.next(), { value: { peer: b.peer, connected: false }, done: false });
      assert.deepEqual(a.streams.peers(), [c.peer]);
      await assert.rejects(a.streams.open(b.peer, ECHO, never()), { retryable: true });
      stop.abort();
      assert.equal((await news.next()).done, true);
    },
  },
];
