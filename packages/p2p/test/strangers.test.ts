import { connect } from "node:net";
import { once } from "node:events";
import type { ConnectionEncrypter, Libp2p, SecuredConnection } from "@libp2p/interface";
import { systemClock } from "@chorus/kernel";
import { manualClock } from "@chorus/kernel/testing";
import { noise } from "@libp2p/noise";
import { tls } from "@libp2p/tls";
import { describe, expect, it } from "vitest";
import { p2p, type P2p } from "../src/index.ts";
import { gated } from "../src/closed-mesh.ts";
import { joinKey } from "../src/join-proof.ts";
import { asPeerId, fromPeerId } from "../src/peer-ids.ts";
import { echo, never } from "../src/testing/stream-cases.ts";
import { type Lab, lab, met, recordingLogger, SECRET, TOPIC } from "./fixtures/mesh.ts";
import { addressOf, stranger, type Wrap } from "./fixtures/stranger.ts";

const ECHO = "/test/echo/1.0.0";
const USUAL = [ECHO, "/ipfs/ping/1.0.0", "/ipfs/id/1.0.0", "/meshsub/1.2.0"];
const TCP = "/ip4/127.0.0.1/tcp/0";
const WEB = "/ip4/127.0.0.1/tcp/0/ws";

/** A member whose every served protocol would be noticed. */
async function member(at: Lab, listen = TCP): Promise<{ node: P2p; served: string[] }> {
  const node = await at.start({ listen: [listen] });
  const served: string[] = [];
  node.streams.handle(ECHO, async (stream) => {
    served.push(stream.peer);
    await echo(stream);
  });
  return { node, served };
}

/** What the node tells a member that it speaks: everything it has registered. */
async function spoken(insider: Libp2p, node: P2p): Promise<string[]> {
  const identified = new Promise<string[]>((resolve) =>
    insider.addEventListener("peer:identify", ({ detail }) => resolve(detail.protocols)),
  );
  await insider.dial(addressOf(node));
  return identified;
}

/** Tries every protocol. Resolves with those that answered. */
async function knock(from: Libp2p, node: P2p, protocols: readonly string[] = USUAL): Promise<string[]> {
  const answered: string[] = [];
  for (const protocol of protocols)
    try {
      const stream = await from.dialProtocol(addressOf(node), protocol, {
        signal: AbortSignal.timeout(3_000),
      });
      answered.push(protocol);
      stream.abort(new Error("done"));
    } catch {
      // refused
    }
  return answered;
}

const secrets: Record<string, Wrap> = {
  "no secret": (inner) => inner,
  "a wrong secret": (inner, self) =>
    gated(inner, {
      key: joinKey(new Uint8Array(32).fill(9), "whatever"),
      self: asPeerId(self)!,
      clock: systemClock,
      logger: recordingLogger(),
    }),
};

/** A member in everything but our code. */
function insider(at: Lab, make: typeof tls | typeof noise): Promise<Libp2p> {
  return stranger(at, make, (inner, self) => insideOf(at, inner, self));
}

describe.each([
  ["TLS", "TCP", tls, TCP],
  ["Noise", "TCP", noise, TCP],
  ["TLS", "WebSocket", tls, WEB],
  ["Noise", "WebSocket", noise, WEB],
] as const)("a closed mesh over %s and %s", (_encryption, _transport, make, listen) => {
  it("lets strangers reach no protocol that it has, and learn none", async () => {
    await using at = await lab();
    const { node, served } = await member(at, listen);
    const protocols = await spoken(await insider(at, make), node);
    // A member reaches them all, so that the refusals below mean something.
    expect(await knock(await insider(at, make), node, protocols)).toEqual(protocols);
    expect(protocols).toEqual(
      expect.arrayContaining([...USUAL, "/ipfs/id/push/1.0.0", "/chorus/introductions/1.0.0"]),
    );
    expect(protocols.some((protocol) => protocol.endsWith("/kad/1.0.0"))).toBe(true);
    const reached = served.length;
    for (const wrap of Object.values(secrets)) {
      const heard: Uint8Array[] = [];
      const outsider = await stranger(at, make, (inner, self) => wrap(overhearing(inner, heard), self));
      expect(await knock(outsider, node, protocols)).toEqual([]);
      expect(node.streams.peers()).not.toContain(asPeerId(outsider.peerId));
      const words = Buffer.concat(heard).toString("latin1");
      for (const secret of [at.cluster, ...protocols, TOPIC]) expect(words).not.toContain(secret);
      const known = await outsider.peerStore.get(fromPeerId(node.signer.peer)).catch(() => undefined);
      expect(known?.protocols ?? []).toEqual([]);
    }
    expect(served.length).toBe(reached);
  });
});

/** Notes everything that comes out of the secured channel. */
function overhearing(inner: ConnectionEncrypter, heard: Uint8Array[]): ConnectionEncrypter {
  return {
    protocol: inner.protocol,
    secureInbound: inner.secureInbound.bind(inner),
    secureOutbound: async (connection, options) => {
      const secured = await inner.secureOutbound(connection, options);
      secured.connection.addEventListener("message", ({ data }) => heard.push(data.subarray().slice()));
      return secured;
    },
  };
}

describe.each([
  ["TLS", tls],
  ["Noise", noise],
])("a closed mesh over %s", (_, make) => {
  it("refuses the recorded bytes of a member's proof", async () => {
    await using at = await lab();
    const { node, served } = await member(at);
    const recorded: Uint8Array[] = [];
    const trap = await stranger(at, make, recorder(recorded));
    const victim = await at.start({ bootstrap: [trap.getMultiaddrs()[0]!.toString()], mdns: false });
    while (Buffer.concat(recorded).length < 65) await new Promise((resolve) => setImmediate(resolve));
    const proof = Buffer.concat(recorded).subarray(0, 65);
    const outsider = await stranger(at, make, replayer(proof));
    expect(await knock(outsider, node)).toEqual([]);
    expect(await knock(outsider, victim)).toEqual([]);
    expect(served).toEqual([]);
    expect(node.streams.peers()).toEqual([]);
  });

  it("refuses its own words, and a proof that was given to another", async () => {
    await using at = await lab();
    const { node, served } = await member(at);
    const mirror = await stranger(at, make, reflecting);
    expect(await knock(mirror, node)).toEqual([]);
    // Between two members, with both secrets known: the very bytes of a proof that was accepted.
    const said: Uint8Array[] = [];
    const honest = await stranger(at, make, (inner, self) => insideOf(at, speaking(inner, said), self));
    expect(await knock(honest, node)).toContain(ECHO);
    const proof = Buffer.concat(said).subarray(0, 65);
    expect(proof.length).toBe(65);
    const before = served.length;
    for (const other of [node, (await member(at)).node])
      expect(await knock(await stranger(at, make, replayer(proof)), other)).toEqual([]);
    expect(served.length).toBe(before);
  });

  it("does not dial into a mesh that cannot prove itself", async () => {
    await using at = await lab();
    const outsider = await stranger(at, make);
    const reached: string[] = [];
    await outsider.handle(ECHO, () => void reached.push(ECHO));
    const logger = recordingLogger();
    const node = await at.start({ bootstrap: [outsider.getMultiaddrs()[0]!.toString()], logger });
    await logger.until("dial failed", 1);
    const peer = asPeerId(outsider.peerId)!;
    await expect(node.streams.open(peer, ECHO, never())).rejects.toMatchObject({ code: "p2p/unreachable" });
    expect(reached).toEqual([]);
    expect(node.streams.peers()).toEqual([]);
  });
});

/** Secures the channel, greets, and notes what the other side sends for its proof. */
function recorder(recorded: Uint8Array[]): Wrap {
  return (inner) => ({
    protocol: inner.protocol,
    secureOutbound: inner.secureOutbound.bind(inner),
    secureInbound: async (connection, options): Promise<SecuredConnection> => {
      const secured = await inner.secureInbound(connection, options);
      secured.connection.addEventListener("message", ({ data }) => recorded.push(data.subarray().slice()));
      secured.connection.send(Uint8Array.of(1, ...new Uint8Array(32)));
      return new Promise(() => undefined);
    },
  });
}

/** Sends recorded bytes as soon as the channel is secured, then behaves as if it were in. */
function replayer(proof: Uint8Array): Wrap {
  return (inner) => ({
    protocol: inner.protocol,
    secureInbound: inner.secureInbound.bind(inner),
    secureOutbound: async (connection, options) => {
      const secured = await inner.secureOutbound(connection, options);
      secured.connection.send(proof);
      return secured;
    },
  });
}

function insideOf(at: Lab, inner: ConnectionEncrypter, self: Libp2p["peerId"]): ConnectionEncrypter {
  const key = joinKey(SECRET, at.cluster);
  return gated(inner, { key, self: asPeerId(self)!, clock: systemClock, logger: recordingLogger() });
}

/** Notes what our own side says inside the secured channel. */
function speaking(inner: ConnectionEncrypter, said: Uint8Array[]): ConnectionEncrypter {
  return {
    protocol: inner.protocol,
    secureInbound: inner.secureInbound.bind(inner),
    secureOutbound: async (connection, options) => {
      const secured = await inner.secureOutbound(connection, options);
      const send = secured.connection.send.bind(secured.connection);
      secured.connection.send = (data) => {
        said.push(data.subarray().slice());
        return send(data);
      };
      return secured;
    },
  };
}

/** Sends back whatever the other side says. */
function reflecting(inner: ConnectionEncrypter): ConnectionEncrypter {
  return {
    protocol: inner.protocol,
    secureInbound: inner.secureInbound.bind(inner),
    secureOutbound: async (connection, options) => {
      const secured = await inner.secureOutbound(connection, options);
      secured.connection.addEventListener("message", ({ data }) => secured.connection.send(data));
      return secured;
    },
  };
}

describe("a node that listens", () => {
  it("survives whatever connects to its port, and goes on serving members", async () => {
    await using at = await lab();
    const { node } = await member(at);
    const port = Number(node.addresses()[0]!.split("/")[4]);
    for (const bytes of [
      "GET / HTTP/1.1\r\n\r\n",
      "\0".repeat(10_000),
      "\x13/multistream/1.0.0\n\x03na\n",
      "",
    ]) {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => undefined).resume();
      await once(socket, "connect");
      socket.write(bytes);
      if (bytes.length > 100) socket.resetAndDestroy();
      else socket.end();
      await once(socket, "close");
    }
    const other = await at.start({ bootstrap: node.addresses() });
    await met(other, node.signer.peer);
    const stream = await other.streams.open(node.signer.peer, ECHO, never());
    await stream.send(Uint8Array.of(1));
    await stream.close();
    expect(await Array.fromAsync(stream.frames)).toEqual([Uint8Array.of(1)]);
  });

  it("hangs up on a side that proves nothing in time", async () => {
    await using at = await lab();
    const clock = manualClock();
    const logger = recordingLogger();
    const node = await at.start({ clock, logger });
    const greeted = Promise.withResolvers<void>();
    const gone = Promise.withResolvers<void>();
    const silent = await stranger(at, tls, (inner) => ({
      protocol: inner.protocol,
      secureInbound: inner.secureInbound.bind(inner),
      secureOutbound: async (connection, options) => {
        const secured = await inner.secureOutbound(connection, options);
        secured.connection.addEventListener("message", () => greeted.resolve());
        secured.connection.addEventListener("close", () => gone.resolve());
        return new Promise(() => undefined);
      },
    }));
    void silent.dial(addressOf(node)).catch(() => undefined);
    await greeted.promise;
    await clock.advance(8_000);
    await gone.promise;
    await logger.until("join refused", 1);
    expect(logger.lines.find(({ message }) => message === "join refused")?.fields["error"]).toContain(
      "no proof in time",
    );
  });

  it("says so when its mesh is open, and lets anyone in then", async () => {
    await using at = await lab();
    const logger = recordingLogger();
    const identityFile = `${at.folder}/open`;
    const node = await p2p({ logger }, { cluster: at.cluster, identityFile, mdns: false, topics: [TOPIC] });
    at.defer(async () => node[Symbol.asyncDispose]());
    node.streams.handle(ECHO, echo);
    expect(logger.lines.map(({ message }) => message)).toContain(
      "open mesh: without a cluster secret anyone who connects is a member",
    );
    expect(await knock(await stranger(at, noise), node)).toContain(ECHO);
  });
});
