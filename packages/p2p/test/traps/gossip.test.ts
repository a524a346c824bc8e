import { gossipsub } from "@chainsafe/libp2p-gossipsub";
import { identifyPush } from "@libp2p/identify";
import { manualClock } from "@chorus/kernel/testing";
import { describe, expect, it, vi } from "vitest";
import { gossipInPieces, piecesOf } from "../../src/gossip-inside.ts";
import { gossipOptions } from "../../src/gossip-options.ts";
import type { Host } from "../../src/host.ts";
import { asPeerId, fromPeerId } from "../../src/peer-ids.ts";
import { lab, type Lab, met, TOPIC } from "../fixtures/mesh.ts";
import { type Adjust, bare, heardBy, ours, overtaken, withService } from "../fixtures/bare.ts";

const MIB = 1_048_576;

// Sixteen nodes in one process, on a machine that may be busy with others.
vi.setConfig({ testTimeout: 90_000 });

/** Messages that `host` receives from now on. */
function inbox(host: Host): Uint8Array[] {
  const received: Uint8Array[] = [];
  host.services.gossip.addEventListener("message", ({ detail }) => void received.push(detail.data));
  return received;
}

describe("sixteen peers behind one address", () => {
  const { IPColocationFactorWeight: _, ...scoreParams } = gossipOptions([TOPIC]).scoreParams ?? {};
  const punishing = withService("gossip", gossipInPieces({ ...gossipOptions([TOPIC]), scoreParams }));

  /** How many of the other fifteen one of them hears when each says something once. */
  async function audience(at: Lab, adjust: Adjust): Promise<() => Promise<number>> {
    const hub = await bare(at, { adjust });
    const heard = inbox(hub);
    const others = await Promise.all(Array.from({ length: 15 }, () => bare(at)));
    await Promise.all(others.map(async (peer) => peer.dial(hub.getMultiaddrs())));
    await Promise.all(others.map(async (peer) => heardBy(peer, hub)));
    return async () => {
      heard.length = 0;
      for (const peer of others) await peer.services.gossip.publish(TOPIC, Uint8Array.of(1));
      await Promise.all(others.map(async (peer) => overtaken(peer, hub)));
      return heard.length;
    };
  }

  it("do not hear each other with libp2p's colocation score", async () => {
    await using at = await lab();
    const round = await audience(at, punishing);
    // Newcomers are heard for a second, whatever their score.
    await expect.poll(round, { interval: 300, timeout: 60_000 }).toBe(0);
    expect(await round()).toBe(0);
  });

  it("all hear each other without it", async () => {
    await using at = await lab();
    const round = await audience(at, ours);
    await expect.poll(round, { interval: 300, timeout: 60_000 }).toBe(15);
  });
});

describe("a connection whose gossip streams have died", () => {
  function cutGossip(host: Host, other: Host["peerId"]): number {
    const streams = host
      .getConnections(other)
      .flatMap((connection) => connection.streams)
      .filter(({ protocol }) => protocol.startsWith("/meshsub/"));
    for (const stream of streams) stream.abort(new Error("lost"));
    return streams.length;
  }

  it("is mute for ever with libp2p alone", async () => {
    await using at = await lab();
    // News about addresses makes gossip look again, by chance.
    const adjust = withService("identifyPush", identifyPush({ runOnSelfUpdate: false }));
    const [host, other] = [await bare(at, { adjust }), await bare(at, { adjust })];
    await host.dial(other.getMultiaddrs());
    await Promise.all([heardBy(host, other), heardBy(other, host)]);
    const heard = inbox(other);
    expect(cutGossip(other, host.peerId)).toBe(2);
    for (let beat = 0; beat < 2; beat++)
      await new Promise((resolve) => {
        host.services.gossip.addEventListener("gossipsub:heartbeat", resolve, { once: true });
      });
    await host.services.gossip.publish(TOPIC, Uint8Array.of(1));
    await overtaken(host, other);
    expect(heard).toEqual([]);
    expect(host.getConnections(other.peerId).map(({ status }) => status)).toEqual(["open"]);
  });

  it("is replaced by our watchdog, and gossip flows again", async () => {
    await using at = await lab();
    const clock = manualClock(Date.now());
    const other = await bare(at);
    const node = await at.start({ clock, bootstrap: other.getMultiaddrs().map(String) });
    const peer = asPeerId(other.peerId)!;
    await met(node, peer);
    const heard = inbox(other);
    const speak = async (): Promise<number> => {
      await node.pubsub.publish(TOPIC, "probe", null);
      return heard.length;
    };
    await expect.poll(speak, { interval: 20, timeout: 60_000 }).toBeGreaterThan(0);
    const gone = met(node, peer, false);
    expect(cutGossip(other, fromPeerId(node.signer.peer))).toBe(2);
    await clock.advance(7_500);
    await gone;
    await clock.advance(1_500);
    await met(node, peer);
    heard.length = 0;
    await expect.poll(speak, { interval: 20, timeout: 60_000 }).toBeGreaterThan(0);
  });
});

describe("a message that is too large", () => {
  it("is lost by libp2p without a word", async () => {
    await using at = await lab();
    const [host, other] = [await bare(at), await bare(at)];
    await host.dial(other.getMultiaddrs());
    await heardBy(host, other);
    const heard = inbox(other);
    await host.services.gossip.publish(TOPIC, new Uint8Array(5 * MIB));
    await overtaken(host, other);
    expect(heard).toEqual([]);
  });

  it("is refused by us by name", async () => {
    await using at = await lab();
    const node = await at.start();
    await expect(node.pubsub.publish(TOPIC, "large", new Uint8Array(5 * MIB))).rejects.toMatchObject({
      code: "kernel/invalid-input",
      detail: { path: "body" },
    });
  });
});

describe("a peer that asks for forty missed messages of 64 KiB", () => {
  const whole = withService("gossip", gossipsub(gossipOptions([TOPIC])));

  /** As gossip keeps and asks for messages, behind its type. */
  interface Inside {
    readonly mcache: { readonly msgs: ReadonlyMap<string, unknown> };
    sendRpc(peer: string, rpc: unknown): boolean;
  }

  async function catchUp(
    adjust: Adjust,
  ): Promise<{ received: () => number; listens: () => boolean; at: Lab }> {
    const at = await lab();
    const [host, other] = [await bare(at, { adjust }), await bare(at)];
    // Nobody is there to hear them, so that they have to be asked for.
    for (let n = 0; n < 40; n++) await host.services.gossip.publish(TOPIC, new Uint8Array(65_536).fill(n));
    const heard = inbox(other);
    await other.dial(host.getMultiaddrs());
    await Promise.all([heardBy(host, other), heardBy(other, host)]);
    const [keeper, asker] = [host, other].map(({ services }) => services.gossip as unknown as Inside);
    const messageIDs = [...keeper!.mcache.msgs.keys()].map((id) => Buffer.from(id, "latin1"));
    expect(messageIDs.length).toBe(40);
    const control = { ihave: [], iwant: [{ messageIDs }], graft: [], prune: [], idontwant: [] };
    asker!.sendRpc(host.peerId.toString(), { subscriptions: [], messages: [], control });
    await overtaken(other, host);
    await overtaken(host, other);
    const listens = (): boolean => other.services.gossip.getPeers().some((id) => id.equals(host.peerId));
    return { received: () => heard.length, listens, at };
  }

  it("loses its gossip when libp2p answers in one piece", async () => {
    const { received, listens, at } = await catchUp(whole);
    await using _ = at;
    await expect.poll(listens, { timeout: 60_000 }).toBe(false);
    expect(received()).toBe(0);
  });

  it("gets them all from us, in pieces that it takes", async () => {
    const { received, listens, at } = await catchUp(ours);
    await using _ = at;
    await expect.poll(received, { timeout: 60_000 }).toBe(40);
    expect(listens()).toBe(true);
  });

  it("gets pieces of less than 1 MiB, in order and complete", () => {
    const messages = Array.from({ length: 100 }, (_, n) => ({ data: new Uint8Array((n * 997) % 69_632) }));
    const pieces = piecesOf(messages);
    expect(pieces.flat()).toEqual(messages);
    for (const piece of pieces)
      expect(piece.reduce((sum, { data }) => sum + data.length + 512, 0)).toBeLessThanOrEqual(MIB);
    expect(piecesOf([])).toEqual([]);
  });
});
