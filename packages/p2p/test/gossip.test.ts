import { createSigner, sealEnvelope, type Signer, systemClock } from "@chorus/kernel";
import { manualClock } from "@chorus/kernel/testing";
import { generateKeyPair } from "@libp2p/crypto/keys";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { Host } from "../src/host.ts";
import { loadIdentity, type Identity } from "../src/identity.ts";
import { meshPubSub } from "../src/pubsub.ts";
import type { Multiaddr } from "@multiformats/multiaddr";
import type { P2p } from "../src/index.ts";
import { bare } from "./fixtures/bare.ts";
import { audible, type Lab, lab, met, recordingLogger, TOPIC } from "./fixtures/mesh.ts";
import { never } from "../src/testing/stream-cases.ts";
import { addressOf } from "./fixtures/stranger.ts";

interface Hostile {
  readonly host: Host;
  readonly identity: Identity;
  /** Puts bytes on the topic that our own code would never send. */
  readonly shout: (bytes: Uint8Array) => Promise<void>;
}

/** libp2p as a member has it, without our checks. */
async function member(at: Lab): Promise<{ host: Host; identity: Identity }> {
  const name = `member-${crypto.randomUUID()}`;
  const host = await bare(at, { name });
  return { host, identity: await loadIdentity(join(at.folder, name)) };
}

/** A member by its proof, a peer without manners otherwise; connected, and heard on the topic. */
async function hostile(at: Lab, victim: Multiaddr[]): Promise<Hostile> {
  const { host, identity } = await member(at);
  const gossip = host.services.gossip;
  const subscribed = new Promise<void>((resolve) => {
    gossip.addEventListener("subscription-change", () => resolve());
  });
  await host.dial(victim);
  await subscribed;
  // The subscription can be known a moment before there is a stream to send on; no event tells of that.
  const { streamsOutbound } = gossip as unknown as { streamsOutbound: ReadonlyMap<string, unknown> };
  while (streamsOutbound.size === 0) await new Promise((resolve) => setImmediate(resolve));
  const shout = async (bytes: Uint8Array): Promise<void> => {
    const { recipients } = await gossip.publish(TOPIC, bytes);
    expect(recipients.length).toBeGreaterThan(0);
  };
  return { host, identity, shout };
}

async function heardUntil(node: P2p, type: string, act: () => Promise<void>): Promise<string[]> {
  const stop = new AbortController();
  const types: string[] = [];
  const reading = (async () => {
    for await (const message of node.pubsub.subscribe(TOPIC, stop)) {
      types.push(message.type);
      if (message.type === type) break;
    }
  })();
  await act();
  await reading;
  stop.abort();
  return types.filter((heard) => heard !== "probe");
}

describe("gossip", () => {
  it("refuses forged, foreign, stale, replayed and oversized messages of a member", async () => {
    await using at = await lab();
    const logger = recordingLogger();
    const victim = await at.start({ logger });
    const honest = await at.start({ bootstrap: victim.addresses() });
    await audible([victim, honest]);
    const { cluster } = at;
    const seal = (type: string, signer: Signer, ts = Date.now()): Promise<Uint8Array> =>
      sealEnvelope({ type, cluster, body: null }, signer, ts);
    const stranger = await createSigner(crypto.getRandomValues(new Uint8Array(32)));
    const garbage = crypto.getRandomValues(new Uint8Array(100));
    const cases: Record<string, (signer: Signer) => Promise<Uint8Array> | Uint8Array> = {
      garbage: () => garbage,
      oversized: () => new Uint8Array(200_000),
      forged: () => seal("forged", stranger),
      foreign: (signer) =>
        sealEnvelope({ type: "foreign", cluster: "other", body: null }, signer, Date.now()),
      old: (signer) => seal("old", signer, Date.now() - 400_000),
      early: (signer) => seal("early", signer, Date.now() + 400_000),
    };
    const sources: string[] = [];
    const heard = await heardUntil(victim, "end", async () => {
      // Each from a member of its own: a member's third refused message would be its last for a while.
      for (const make of Object.values(cases)) {
        const { shout, identity } = await hostile(at, [addressOf(victim)]);
        await shout(await make(identity.signer));
        sources.push(identity.signer.peer);
        await logger.until("message refused", sources.length);
      }
      const { shout, identity } = await hostile(at, [addressOf(victim)]);
      const good = await seal("good", identity.signer);
      await shout(good);
      await shout(good);
      sources.push(identity.signer.peer);
      await logger.until("message refused", sources.length);
      await honest.pubsub.publish(TOPIC, "end", null);
    });
    expect(heard).toEqual(["good", "end"]);
    const lines = logger.lines.filter(({ message }) => message === "message refused");
    expect(lines.map(({ fields }) => [fields["outcome"], fields["signer"]])).toEqual(
      sources.map((source) => ["reject", source]),
    );
  });

  it("makes a member pay for what is refused with its score", async () => {
    await using at = await lab();
    const { host, identity } = await member(at);
    const logger = recordingLogger();
    const port = meshPubSub({
      gossip: host.services.gossip,
      signer: identity.signer,
      cluster: at.cluster,
      topics: [TOPIC],
      clock: systemClock,
      logger,
      isRevoked: () => false,
      offend: () => {},
      traceparent: () => undefined,
    });
    at.defer(async () => port.close());
    const attacker = await hostile(at, host.getMultiaddrs());
    for (let i = 0; i < 3; i++) await attacker.shout(Uint8Array.of(i));
    await logger.until("message refused", 3);
    // The port's own type does not show scores; gossipsub works one out at most once a second.
    const { score } = host.services.gossip as unknown as { score: { score(peer: string): number } };
    await expect
      .poll(() => score.score(attacker.host.peerId.toString()), { timeout: 5_000 })
      .toBeLessThan(-20);
  });

  it("cuts off a member that goes on, refuses it for a minute, and leaves its neighbours alone", async () => {
    await using at = await lab();
    const logger = recordingLogger();
    const clock = manualClock(Date.now());
    const victim = await at.start({ logger, clock });
    // Behind the same address.
    const honest = await at.start({ bootstrap: victim.addresses() });
    await met(victim, honest.signer.peer);
    const { host, identity, shout } = await hostile(at, [addressOf(victim)]);
    const { peer } = identity.signer;
    await met(victim, peer);
    for (let n = 0; n < 6; n++) await shout(Uint8Array.of(n));
    await logger.until("a member keeps breaking the rules and is cut off", 1);
    await met(victim, peer, false);
    const knock = async (): Promise<boolean> => {
      const connection = await host.dial([addressOf(victim)]).catch(() => undefined);
      return connection !== undefined && victim.streams.peers().includes(peer);
    };
    expect(await knock()).toBe(false);
    await expect(victim.streams.open(peer, "/x", never())).rejects.toMatchObject({ code: "p2p/unreachable" });
    expect(victim.streams.peers()).toEqual([honest.signer.peer]);
    await clock.advance(59_000);
    expect(await knock()).toBe(false);
    await clock.advance(1_001);
    await expect.poll(knock, { timeout: 10_000 }).toBe(true);
    await audible([victim, honest]);
  });

  it("cuts off a member whose messages carry another's name, which gossip refuses before we see them", async () => {
    await using at = await lab();
    const logger = recordingLogger();
    const clock = manualClock(Date.now());
    const victim = await at.start({ logger, clock });
    const { host, identity } = await hostile(at, [addressOf(victim)]);
    await met(victim, identity.signer.peer);
    const { publicKey } = await generateKeyPair("Ed25519");
    const gossip = host.services.gossip as unknown as { sendRpc(peer: string, rpc: unknown): boolean };
    const forge = (): void => {
      const message = {
        from: publicKey.toMultihash().bytes,
        seqno: crypto.getRandomValues(new Uint8Array(8)),
        data: Uint8Array.of(1),
        topic: TOPIC,
        signature: new Uint8Array(64),
      };
      const [id = ""] = host.getPeers().map(String);
      gossip.sendRpc(id, { subscriptions: [], messages: [message] });
    };
    const gone = met(victim, identity.signer.peer, false).then(() => true);
    for (let cut = false; !cut; ) {
      forge();
      await clock.advance(500);
      cut = await Promise.race([gone, pause(100, false)]);
    }
    const [line] = logger.lines.filter(({ message }) => message.endsWith("is cut off"));
    expect(line?.fields).toMatchObject({ peer: identity.signer.peer, problem: "invalid gossip messages" });
  });

  it("refuses topics that are not of this mesh", async () => {
    await using at = await lab();
    const node = await at.start();
    const elsewhere = { code: "kernel/invalid-input", detail: { path: "topic" } };
    await expect(node.pubsub.publish("other", "x", null)).rejects.toMatchObject(elsewhere);
    expect(() => node.pubsub.subscribe("other", new AbortController())).toThrow("is not one of this mesh");
  });

  it("publishes into an empty mesh without a complaint", async () => {
    await using at = await lab();
    const node = await at.start();
    await node.pubsub.publish(TOPIC, "lonely", null);
  });

  it("drops the oldest messages of a reader that does not read, and holds up nobody", async () => {
    await using at = await lab();
    const sender = await at.start();
    const receiver = await at.start({ bootstrap: sender.addresses() });
    await audible([sender, receiver]);
    const stop = new AbortController();
    const lazy = receiver.pubsub.subscribe(TOPIC, stop);
    const heard = await heardUntil(receiver, "end", async () => {
      for (let n = 0; n < 300; n++) await sender.pubsub.publish(TOPIC, `n${n}`, n);
      await sender.pubsub.publish(TOPIC, "end", null);
    });
    expect(heard.length).toBe(301);
    stop.abort();
    const late = await Array.fromAsync(lazy);
    expect(late.length).toBe(256);
    expect(late.at(-1)?.type).toBe("end");
  });
});
