import { describe, expect, it } from "vitest";
import type { P2p } from "../src/index.ts";
import { echo, never } from "../src/testing/stream-cases.ts";
import { audible, type Lab, lab, met, recordingLogger, whole } from "./fixtures/mesh.ts";

const ECHO = "/test/echo/1.0.0";

/** A member that nobody can dial: it listens nowhere, as behind NAT. */
async function hidden(
  at: Lab,
  relays: readonly P2p[],
  options: Parameters<Lab["start"]>[0] = {},
): Promise<P2p> {
  const bootstrap = relays.flatMap((relay) => relay.addresses());
  return at.start({ listen: [], useRelays: 1, bootstrap, ...options });
}

describe("a relay", () => {
  it("brings two members together that cannot reach each other", async () => {
    await using at = await lab();
    const relay = await at.start({ serveRelay: true });
    const [a, b] = await Promise.all([hidden(at, [relay]), hidden(at, [relay])]);
    await whole([a, b, relay]);
    await audible([a, b, relay]);
    for (const node of [a, b])
      expect(node.connections().filter(({ address }) => address.includes("/p2p-circuit/"))).toHaveLength(1);
    b.streams.handle(ECHO, echo);
    const stream = await a.streams.open(b.signer.peer, ECHO, never());
    await stream.send(new Uint8Array(1_000_000).fill(3));
    await stream.close();
    expect(await Array.fromAsync(stream.frames)).toEqual([new Uint8Array(1_000_000).fill(3)]);
  });
});
