import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { Libp2p } from "@libp2p/interface";
import type { PeerId } from "@chorus/kernel";
import { manualClock } from "@chorus/kernel/testing";
import { noise } from "@libp2p/noise";
import { tls } from "@libp2p/tls";
import { describe, expect, it } from "vitest";
import { p2p, type P2p } from "../src/index.ts";
import { echo, never } from "../src/testing/stream-cases.ts";
import { audible, type Lab, lab, met, SECRET, TOPIC, whole } from "./fixtures/mesh.ts";
import { addressOf, stranger } from "./fixtures/stranger.ts";

const ECHO = "/test/echo/1.0.0";
const WEB = "/ip4/127.0.0.1/tcp/0/ws";
const TCP = "/ip4/127.0.0.1/tcp/0";

function portOf(node: P2p): number {
  return Number(node.addresses()[0]?.split("/")[4]);
}

/** A client that has come as far as the WebSocket. */
async function upgraded(node: P2p): Promise<Socket> {
  const socket = connect(portOf(node), "127.0.0.1");
  await once(socket, "connect");
  const lines = [
    "GET / HTTP/1.1",
    "Host: x",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  ];
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  const [answer] = (await once(socket, "data")) as [Buffer];
  expect(answer.toString()).toMatch(/^HTTP\/1\.1 101 /);
  return socket;
}

/** Passes a port's connections on, so that a test sees the sockets themselves. */
async function tunnel(at: Lab, target: number): Promise<{ port: number; links: Socket[] }> {
  const links: Socket[] = [];
  const server = createServer((near) => {
    const far = connect(target, "127.0.0.1");
    links.push(far);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const)
      from
        .on("error", () => undefined)
        .on("close", () => to.destroy())
        .pipe(to);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  at.defer(async () => server.close());
  return { port: (server.address() as AddressInfo).port, links };
}

/** A member still gets in and is answered. */
async function serves(at: Lab, node: P2p): Promise<void> {
  node.streams.handle(ECHO, echo);
  const other = await at.start({ bootstrap: node.addresses() });
  await met(other, node.signer.peer);
  const stream = await other.streams.open(node.signer.peer, ECHO, never());
  await stream.send(Uint8Array.of(1));
  await stream.close();
  expect(await Array.fromAsync(stream.frames)).toEqual([Uint8Array.of(1)]);
}

describe("WebSocket", () => {
  it("carries a mesh that listens on nothing else, dialled from both sides", async () => {
    await using at = await lab();
    const first = await at.start({ listen: [WEB] });
    const second = await at.start({ listen: [WEB], bootstrap: first.addresses() });
    const third = await at.start({ listen: [WEB], bootstrap: second.addresses() });
    const nodes = [first, second, third];
    await whole(nodes);
    await audible(nodes);
    for (const node of nodes)
      for (const { address, encryption } of node.connections()) {
        expect(address).toContain("/ws/p2p/");
        expect(encryption).toBe("tls");
      }
  });

  it("joins members that listen on different transports", async () => {
    await using at = await lab();
    const both = await at.start({ listen: [TCP, WEB] });
    const [tcp = "", web = ""] = both.addresses();
    expect(web).toContain("/ws/");
    const overTcp = await at.start({ bootstrap: [tcp] });
    const overWeb = await at.start({ listen: [WEB], bootstrap: [web], encryption: ["noise"] });
    await whole([both, overTcp, overWeb]);
    await audible([both, overTcp, overWeb]);
    expect(overWeb.connections().every(({ encryption }) => encryption === "noise")).toBe(true);
  });

  it.each([
    ["TLS", tls],
    ["Noise", noise],
  ])("lets a stranger over %s reach no protocol", async (_, make) => {
    await using at = await lab();
    const node = await at.start({ listen: [WEB] });
    const served: string[] = [];
    node.streams.handle(ECHO, async ({ peer }) => void served.push(peer));
    const outsider = await stranger(at, make);
    for (const protocol of [ECHO, "/ipfs/ping/1.0.0", "/ipfs/id/1.0.0", "/meshsub/1.2.0"])
      await expect(dialled(outsider, node, protocol)).rejects.toThrow();
    expect(served).toEqual([]);
    expect(node.streams.peers()).toEqual([]);
    expect(node.connections()).toEqual([]);
  });

  it.each(["dialled", "dialling"])("closes the socket when the %s side drops the other", async (side) => {
    await using at = await lab();
    const revoked = new Set<PeerId>();
    const isRevoked = (peer: PeerId): boolean => revoked.has(peer);
    const listener = await at.start({
      listen: [WEB],
      isRevoked: side === "dialled" ? isRevoked : () => false,
    });
    const between = await tunnel(at, portOf(listener));
    const bootstrap = listener
      .addresses()
      .map((address) => address.replace(/tcp\/\d+/, `tcp/${between.port}`));
    const announce = ["/dns4/nowhere.invalid/tcp/1"];
    const dialler = await at.start({
      listen: [],
      announce,
      bootstrap,
      isRevoked: side === "dialling" ? isRevoked : () => false,
    });
    await whole([listener, dialler]);
    const [link] = between.links;
    const closed = once(link!, "close");
    revoked.add((side === "dialled" ? dialler : listener).signer.peer);
    await closed;
  });

  it.each([
    ["a frame against the rules", [0xf2, 0x80, 0, 0, 0, 0]],
    ["a message of 100 MiB", [0x82, 0xff, 0, 0, 0, 0, 0x06, 0x40, 0, 0, 0, 0, 0, 0]],
  ])("survives %s and hangs up", async (_, bytes) => {
    await using at = await lab();
    const node = await at.start({ listen: [WEB] });
    const socket = await upgraded(node);
    const closed = once(socket, "close");
    socket.resume();
    socket.write(Buffer.from(bytes));
    await closed;
    await serves(at, node);
  });

  it("hangs up on a socket that does not become a WebSocket in time", async () => {
    await using at = await lab();
    const clock = manualClock();
    const node = await listening(at, clock);
    const sockets = ["", "GET / HTTP/1.1\r\nX-Slow: "].map((bytes) => {
      const socket = connect(portOf(node), "127.0.0.1").resume();
      socket.on("error", () => undefined);
      socket.write(bytes);
      return socket;
    });
    await Promise.all(sockets.map((socket) => once(socket, "connect")));
    const closed = sockets.map((socket) => once(socket, "close"));
    // The listener has them once it has taken a later one all the way.
    (await upgraded(node)).destroy();
    await clock.advance(10_000);
    await Promise.all(closed);
  });

  it("ends without waiting for a socket that says nothing", async () => {
    await using at = await lab();
    const node = await at.start({ listen: [WEB] });
    const socket = connect(portOf(node), "127.0.0.1").resume();
    socket.on("error", () => undefined);
    await once(socket, "connect");
    (await upgraded(node)).destroy();
    const closed = once(socket, "close");
    await node[Symbol.asyncDispose]();
    await closed;
  });
});

async function dialled(from: Libp2p, node: P2p, protocol: string): Promise<void> {
  await from.dialProtocol(addressOf(node), protocol, { signal: AbortSignal.timeout(3_000) });
}

async function listening(at: Lab, clock: ReturnType<typeof manualClock>): Promise<P2p> {
  const { cluster } = at;
  const identityFile = `${at.folder}/clocked`;
  const node = await p2p(
    { clock },
    { cluster, clusterSecret: SECRET, identityFile, listen: [WEB], mdns: false, topics: [TOPIC] },
  );
  at.defer(async () => node[Symbol.asyncDispose]());
  return node;
}
