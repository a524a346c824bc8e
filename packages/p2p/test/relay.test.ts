import {
  circuitRelayServer,
  type CircuitRelayServerComponents,
  circuitRelayTransport,
} from "@libp2p/circuit-relay-v2";
import { identify, identifyPush } from "@libp2p/identify";
import type { ConnectionEncrypter, Libp2p, Stream } from "@libp2p/interface";
import { setTimeout as pause } from "node:timers/promises";
import { type PeerId, systemClock } from "@chorus/kernel";
import { manualClock } from "@chorus/kernel/testing";
import { noise } from "@libp2p/noise";
import { tcp } from "@libp2p/tcp";
import { pipe, streamPair } from "@libp2p/utils";
import { yamux } from "@libp2p/yamux";
import { multiaddr, type Multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { describe, expect, it } from "vitest";
import { gated } from "../src/closed-mesh.ts";
import type { P2p } from "../src/index.ts";
import { joinKey } from "../src/join-proof.ts";
import { limits } from "../src/limits.ts";
import { startNode } from "../src/p2p.ts";
import { asPeerId, fromPeerId } from "../src/peer-ids.ts";
import { holdBack } from "../src/relay-flow.ts";
import { echo, never } from "../src/testing/stream-cases.ts";
import { audible, type Lab, lab, met, recordingLogger, SECRET, TOPIC, whole } from "./fixtures/mesh.ts";

const ECHO = "/test/echo/1.0.0";
const MIB = 1_048_576;

/** A member that nobody can dial: it listens nowhere, as behind NAT. */
async function hidden(
  at: Lab,
  relays: readonly P2p[],
  options: Parameters<Lab["start"]>[0] = {},
): Promise<P2p> {
  const bootstrap = relays.flatMap((relay) => relay.addresses());
  return at.start({ listen: [], useRelays: 1, bootstrap, ...options });
}

/** The relays that lead from one member to the other. */
function through(from: P2p, to: P2p): PeerId[] {
  return from
    .connections()
    .filter(({ peer, address }) => peer === to.signer.peer && address.includes("/p2p-circuit/"))
    .map(({ address }) => /\/p2p\/([^/]+)\/p2p-circuit/.exec(address)?.[1] as PeerId);
}

async function talk(from: P2p, to: P2p, bytes: Uint8Array): Promise<void> {
  using _served = to.streams.handle(ECHO, echo);
  const stream = await from.streams.open(to.signer.peer, ECHO, never());
  await stream.send(bytes);
  await stream.close();
  expect(await Array.fromAsync(stream.frames)).toEqual([bytes]);
}

describe("a relay", () => {
  it("brings two members together that cannot reach each other", async () => {
    await using at = await lab();
    const relay = await at.start({ serveRelay: true });
    const [a, b] = await Promise.all([hidden(at, [relay]), hidden(at, [relay])]);
    await whole([a, b, relay]);
    await audible([a, b, relay]);
    expect(through(a, b)).toEqual([relay.signer.peer]);
    expect(through(b, a)).toEqual([relay.signer.peer]);
    await talk(a, b, new Uint8Array(1_000_000).fill(3));
    for (const node of [a, b])
      expect(node.addresses()).toEqual([
        expect.stringMatching(
          new RegExp(
            `^/ip4/127.0.0.1/tcp/\\d+/p2p/${relay.signer.peer}/p2p-circuit/p2p/${node.signer.peer}$`,
          ),
        ),
      ]);
  });

  it("is asked only by those that want one, and only when it serves", async () => {
    await using at = await lab();
    const relay = await at.start({ serveRelay: true });
    const plain = await at.start();
    const b = await hidden(at, [relay, plain], { useRelays: 2 });
    const a = await hidden(at, [relay], { useRelays: 0 });
    await whole([a, b, relay]);
    expect(a.addresses()).toEqual([]);
    expect(b.addresses()).toHaveLength(1);
  });

  it("can be left out of the way: an address through it is fit for bootstrap", async () => {
    await using at = await lab();
    const relay = await at.start({ serveRelay: true });
    const logger = recordingLogger();
    const a = await hidden(at, [relay], { logger });
    await logger.until("places at relays changed", 1);
    const b = await at.start({ listen: [], bootstrap: a.addresses() });
    await met(b, a.signer.peer);
    expect(through(b, a)).toEqual([relay.signer.peer]);
  });

  it("that dies is replaced by another one", async () => {
    await using at = await lab();
    const first = await at.start({ serveRelay: true });
    const second = await at.start({ serveRelay: true, bootstrap: first.addresses() });
    const relays = [first, second];
    const [a, b] = await Promise.all([hidden(at, relays), hidden(at, relays)]);
    await whole([a, b, ...relays]);
    const [used] = through(a, b);
    const [dying, other] = used === first.signer.peer ? [first, second] : [second, first];
    await dying[Symbol.asyncDispose]();
    await met(a, b.signer.peer, false);
    await met(a, b.signer.peer);
    expect(through(a, b)).toEqual([other.signer.peer]);
    await talk(b, a, Uint8Array.of(1));
  });

  it("brings them together again when it is back", async () => {
    await using at = await lab();
    const relay = await at.start({ serveRelay: true, name: "relay" });
    const listen = relay.addresses().map((address) => address.split("/p2p/")[0]!);
    const [a, b] = await Promise.all([hidden(at, [relay]), hidden(at, [relay])]);
    await whole([a, b, relay]);
    await relay[Symbol.asyncDispose]();
    await met(a, b.signer.peer, false);
    expect(a.addresses()).toEqual([]);
    await at.start({ serveRelay: true, name: "relay", listen });
    await whole([a, b]);
    await talk(a, b, Uint8Array.of(2));
  });

  it("passes on no faster than its pace", async () => {
    await using at = await lab();
    const clock = manualClock();
    const { cluster } = at;
    const relay = await startNode(
      { clock },
      {
        cluster,
        clusterSecret: SECRET,
        identityFile: `${at.folder}/relay`,
        mdns: false,
        topics: [],
        serveRelay: true,
      },
    );
    at.defer(async () => relay[Symbol.asyncDispose]());
    const [a, b] = await Promise.all([hidden(at, [relay]), hidden(at, [relay])]);
    await met(a, relay.signer.peer);
    await whole([a, b]);
    let received = 0;
    const all = Promise.withResolvers<void>();
    b.streams.handle(ECHO, async ({ frames }) => {
      for await (const frame of frames) received += frame.length;
      all.resolve();
    });
    const stream = await a.streams.open(b.signer.peer, ECHO, never());
    const frames = 2 * (limits.relayedBurstBytes / MIB);
    const sending = (async () => {
      for (let i = 0; i < frames; i++) await stream.send(new Uint8Array(MIB));
      await stream.close();
    })();
    // Until nothing more comes: without a pace, that is at the end.
    const near = limits.relayedBurstBytes - 3 * MIB;
    const isQuiet = async (): Promise<boolean> => {
      const before = received;
      await pause(1_000);
      return received === before && received >= near;
    };
    while (!(await isQuiet()));
    expect(received).toBeLessThan(limits.relayedBurstBytes + 3 * MIB);
    while ((await Promise.race([all.promise.then(() => "all"), pause(20, "some")])) !== "all")
      await clock.advance(500);
    await sending;
    expect(received).toBe(frames * MIB);
  });

  it("frees the place of a member that left at once", async () => {
    await using at = await lab();
    let held: () => number = () => -1;
    const relay = await startNode(
      {},
      {
        cluster: at.cluster,
        clusterSecret: SECRET,
        identityFile: `${at.folder}/relay`,
        mdns: false,
        topics: [TOPIC],
        serveRelay: true,
      },
      (settings) => {
        const make = settings.services!.relay!;
        const relayed: typeof make = (components) => {
          const service = make(components)!;
          held = () => service.reservations.size;
          return service;
        };
        return { ...settings, services: { ...settings.services!, relay: relayed } };
      },
    );
    at.defer(async () => relay[Symbol.asyncDispose]());
    const logger = recordingLogger();
    const a = await hidden(at, [relay], { logger });
    await logger.until("places at relays changed", 1);
    expect(held()).toBe(1);
    await a[Symbol.asyncDispose]();
    await met(relay, a.signer.peer, false);
    expect(held()).toBe(0);
  });

  it("waits for a slow side instead of queueing for it, and keeps a pace", async () => {
    const clock = manualClock();
    const [sender, source] = await streamPair();
    const [target, reader] = await streamPair();
    let passed = 0;
    const send = target.send.bind(target);
    // A target that takes everything and is never drained.
    let slow = true;
    target.send = (data) => {
      passed += data.byteLength;
      send(data);
      return !slow;
    };
    reader.addEventListener("message", () => undefined);
    holdBack(source, target, clock);
    void pipe(source, target).catch(() => undefined);
    const piece = new Uint8Array(65_536);
    const push = async (): Promise<number> => {
      let sent = 0;
      while (sent < 64 * MIB && source.readStatus === "readable") {
        sender.send(piece);
        sent += piece.length;
        await turn();
      }
      return sent;
    };
    expect(await push()).toBeLessThan(MIB);
    expect(source.readStatus).toBe("paused");
    slow = false;
    target.dispatchEvent(new Event("drain"));
    await turn();
    expect(source.readStatus).toBe("readable");
    expect(await push()).toBeLessThan(2 * limits.relayedBurstBytes);
    expect(passed).toBeGreaterThan(limits.relayedBurstBytes - MIB);
    await clock.advance(1_000);
    await turn();
    expect(source.readStatus).toBe("readable");
    sender.abort(new Error("done"));
    reader.abort(new Error("done"));
  });
});

/** Streams deliver in timers. */
async function turn(): Promise<void> {
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setTimeout(resolve));
}

interface Rogue {
  readonly node: Libp2p;
  /** All that was relayed. */
  readonly recorded: Uint8Array[];
  /** From now on anyone may connect to it, and through it. */
  open(): void;
}

/** A member's relay that lets strangers in and keeps what passes. */
async function rogueRelay(at: Lab): Promise<Rogue> {
  const key = joinKey(SECRET, at.cluster);
  const recorded: Uint8Array[] = [];
  let open = false;
  const make = noise();
  const serve = circuitRelayServer({ reservations: { applyDefaultLimit: false } });
  const node = await createLibp2p({
    addresses: { listen: ["/ip4/127.0.0.1/tcp/0"] },
    transports: [tcp()],
    streamMuxers: [yamux()],
    connectionEncrypters: [
      (components): ConnectionEncrypter => {
        const inner = make(components);
        const self = asPeerId(components.peerId)!;
        const member = gated(inner, { key, self, clock: systemClock, logger: recordingLogger() });
        const secureInbound: typeof member.secureInbound = async (...parameters) =>
          open ? inner.secureInbound(...parameters) : member.secureInbound(...parameters);
        return { ...member, secureInbound };
      },
    ],
    services: {
      identify: identify(),
      identifyPush: identifyPush(),
      relay: (components: CircuitRelayServerComponents) => {
        const relay = serve(components) as ReturnType<typeof serve> & { stopHop: StopHop };
        const stopHop = relay.stopHop.bind(relay);
        relay.stopHop = async (...parameters) => {
          const target = await stopHop(...parameters);
          const send = target.send.bind(target);
          target.send = (data) => {
            recorded.push(data.subarray().slice());
            return send(data);
          };
          return target;
        };
        return relay;
      },
    },
  });
  at.defer(async () => node.stop());
  return { node, recorded, open: () => void (open = true) };
}

type StopHop = (...parameters: readonly unknown[]) => Promise<Stream>;

function old(text: string, node: P2p): Multiaddr {
  return multiaddr(text.replace(node.signer.peer, fromPeerId(node.signer.peer).toString()));
}

describe("a relay without our rules", () => {
  it("sees nothing of what it relays", async () => {
    await using at = await lab();
    const { node: rogue, recorded } = await rogueRelay(at);
    const bootstrap = [rogue.getMultiaddrs()[0]!.toString()];
    const logger = recordingLogger();
    const b = await at.start({ listen: [], useRelays: 1, bootstrap, logger });
    await logger.until("places at relays changed", 1);
    const a = await at.start({ listen: [], bootstrap: b.addresses() });
    await met(a, b.signer.peer);
    const secret = new TextEncoder().encode("the words of a member".repeat(20));
    await talk(a, b, secret);
    const seen = Buffer.concat(recorded);
    expect(seen.length).toBeGreaterThan(secret.length);
    expect(seen.includes("the words of a member")).toBe(false);
    expect(seen.includes(ECHO)).toBe(false);
  });

  it("cannot let a stranger in", async () => {
    await using at = await lab();
    const rogue = await rogueRelay(at);
    const logger = recordingLogger();
    const node = await at.start({
      useRelays: 1,
      logger,
      bootstrap: [rogue.node.getMultiaddrs()[0]!.toString()],
    });
    const served: string[] = [];
    node.streams.handle(ECHO, async ({ peer }) => void served.push(peer));
    await logger.until("places at relays changed", 1);
    rogue.open();
    const outsider = await createLibp2p({
      transports: [tcp(), circuitRelayTransport()],
      streamMuxers: [yamux()],
      connectionEncrypters: [noise()],
      services: { identify: identify() },
    });
    at.defer(async () => outsider.stop());
    const through = node.addresses().find((address) => address.includes("/p2p-circuit/"))!;
    const signal = AbortSignal.timeout(5_000);
    await expect(outsider.dialProtocol(old(through, node), ECHO, { signal })).rejects.toThrow();
    await logger.until("join refused", 1);
    expect(rogue.recorded.length).toBeGreaterThan(0);
    expect(served).toEqual([]);
    expect(node.streams.peers()).toEqual([asPeerId(rogue.node.peerId)]);
  });
});
