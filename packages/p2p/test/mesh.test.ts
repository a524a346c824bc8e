import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { InvalidInputError, parsePeerId, type PeerId } from "@chorus/kernel";
import { describe, expect, it } from "vitest";
import { p2p, type P2pOptions } from "../src/index.ts";
import { echo, never } from "../src/testing/stream-cases.ts";
import { spawnPeer } from "./fixtures/spawn-peer.ts";
import { audible, lab, met, SECRET, TOPIC, trio, whole } from "./fixtures/mesh.ts";

describe("a mesh", () => {
  it("comes together from one address, and gossips", async () => {
    await using at = await lab();
    const nodes = await trio(at);
    await audible(nodes);
    for (const node of nodes) {
      expect(new Set(node.connections().map(({ peer }) => peer))).toEqual(new Set(node.streams.peers()));
      expect(node.connections().every(({ encryption }) => encryption === "tls")).toBe(true);
      for (const { address, peer } of node.connections()) expect(address.endsWith(`/p2p/${peer}`)).toBe(true);
    }
  });

  it("comes together by multicast DNS", async () => {
    await using at = await lab();
    const nodes = await Promise.all([1, 2, 3].map(() => at.start({ mdns: true })));
    await whole(nodes);
    await audible(nodes);
  });

  it("keeps meshes with other secrets and names apart on one network", async () => {
    await using at = await lab();
    const [a, b] = await Promise.all([1, 2].map(() => at.start({ mdns: true })));
    const others = await Promise.all([
      at.start({ mdns: true, clusterSecret: new Uint8Array(32).fill(1) }),
      at.start({ mdns: true, cluster: `${at.cluster}-2` }),
    ]);
    await whole([a!, b!]);
    for (const other of others) expect(other.streams.peers()).toEqual([]);
    expect(a!.streams.peers()).toEqual([b!.signer.peer]);
  });

  it.each(["tls", "noise"] as const)("speaks %s when one side speaks nothing else", async (encryption) => {
    await using at = await lab();
    const first = await at.start();
    const second = await at.start({ bootstrap: first.addresses(), encryption: [encryption] });
    await whole([first, second]);
    await audible([first, second]);
    for (const node of [first, second])
      expect(node.connections().map((connection) => connection.encryption)).toContain(encryption);
    expect(second.connections().every((connection) => connection.encryption === encryption)).toBe(true);
  });

  it("accepts both spellings of a peer in an address", async () => {
    await using at = await lab();
    const first = await at.start();
    const { fromPeerId } = await import("../src/peer-ids.ts");
    const [address = ""] = first.addresses();
    expect(parsePeerId(address.split("/p2p/")[1])).toBe(first.signer.peer);
    const old = address.replace(first.signer.peer, fromPeerId(first.signer.peer).toString());
    expect(old).toContain("/p2p/12D3");
    const second = await at.start({ bootstrap: [old] });
    await whole([first, second]);
  });

  it("lets a node go that is disposed, and frees its port", async () => {
    await using at = await lab();
    const [a, b] = await trio(at);
    const port = Number(b.addresses()[0]!.split("/")[4]);
    await b[Symbol.asyncDispose]();
    await b[Symbol.asyncDispose]();
    await met(a, b.signer.peer, false);
    const server = createServer().listen(port, "127.0.0.1");
    await once(server, "listening");
    server.close();
    await expect(b.pubsub.publish(TOPIC, "late", null)).rejects.toMatchObject({ code: "p2p/closed" });
    await expect(b.streams.open(a.signer.peer, "/x", never())).rejects.toMatchObject({ code: "p2p/closed" });
  });

  it("keeps out a peer that is revoked, also one that is connected already", async () => {
    await using at = await lab();
    const revoked = new Set<PeerId>();
    const isRevoked = (peer: PeerId): boolean => revoked.has(peer);
    const first = await at.start({ isRevoked });
    const second = await at.start({ bootstrap: first.addresses() });
    await whole([first, second]);
    revoked.add(second.signer.peer);
    await met(first, second.signer.peer, false);
    const { peer } = first.signer;
    await expect(second.streams.open(peer, "/x", never())).rejects.toMatchObject({ code: "p2p/unreachable" });
    await expect(first.streams.open(second.signer.peer, "/x", never())).rejects.toMatchObject({
      retryable: true,
    });
    expect(first.streams.peers()).toEqual([]);
  });
});

describe("a member that is killed", () => {
  it("is missed at once, and dialled until it is back with the same key", async () => {
    await using at = await lab();
    const first = await spawnPeer(at, {});
    const peer = parsePeerId(first.address.split("/p2p/")[1]);
    const watcher = await at.start({ bootstrap: [first.address] });
    await met(watcher, peer);
    const stop = new AbortController();
    const changes = watcher.streams.changes(stop)[Symbol.asyncIterator]();
    first.child.kill("SIGKILL");
    expect((await changes.next()).value).toEqual({ peer, connected: false });
    // It knows nobody: only the watcher can bring the two together again.
    const second = await spawnPeer(at, { listen: first.address.split("/p2p/")[0]! });
    expect(second.address).toBe(first.address);
    await met(watcher, peer);
    stop.abort();
  });

  it("is found again by those that it dials from another port", async () => {
    await using at = await lab();
    const first = await at.start();
    const second = await at.start({ name: "mover", bootstrap: first.addresses() });
    await whole([first, second]);
    await second[Symbol.asyncDispose]();
    await met(first, second.signer.peer, false);
    const again = await at.start({ name: "mover", bootstrap: first.addresses() });
    expect(again.signer.peer).toBe(second.signer.peer);
    expect(again.addresses()).not.toEqual(second.addresses());
    await whole([first, again]);
    await audible([first, again]);
    again.streams.handle("/echo", echo);
    await first.streams.open(again.signer.peer, "/echo", never());
  });
});

const someone = "k51qzi5uqu5dk6i3v9y9k41n099m5u2bl6necc24mp8o8171rwbiui5rmt42jm";

describe("p2p", () => {
  it("names the address when its port is taken, and leaves nothing behind", async () => {
    await using at = await lab();
    const first = await at.start();
    const taken = first.addresses()[0]!.split("/p2p/")[0]!;
    await expect(at.start({ name: "loser", listen: ["/ip4/127.0.0.1/tcp/0", taken] })).rejects.toMatchObject({
      code: "p2p/address-in-use",
      message: expect.stringContaining(taken),
      detail: { address: taken },
    });
    // The same identity can start at once.
    await at.start({ name: "loser" });
  });

  it("names an address that is not this machine's", async () => {
    await using at = await lab();
    const foreign = "/ip4/192.0.2.1/tcp/4001";
    await expect(at.start({ listen: [foreign] })).rejects.toMatchObject({
      code: "p2p/listen-failed",
      detail: { address: foreign },
    });
  });

  it.each<[string, Partial<P2pOptions>]>([
    ["cluster", { cluster: "" }],
    ["clusterSecret", { clusterSecret: new Uint8Array(31) }],
    ["listen/0", { listen: ["localhost:4001"] }],
    ["announce/0", { announce: ["/ip4/300.0.0.1/tcp/1"] }],
    ["bootstrap/1", { bootstrap: [`/ip4/127.0.0.1/tcp/1/p2p/${someone}`, "/ip4/127.0.0.1/tcp/1"] }],
    ["bootstrap/0", { bootstrap: ["/ip4/127.0.0.1/tcp/1/p2p/nobody"] }],
    ["bootstrap/0", { bootstrap: [`/ip4/127.0.0.1/tcp/1/p2p/${someone}/p2p-circuit`] }],
    ["encryption", { encryption: [] }],
    ["useRelays", { useRelays: 5 }],
    ["useRelays", { useRelays: 0.5 }],
    ["topics", { topics: Array.from({ length: 65 }, (_, i) => `t${i}`) }],
  ])("refuses a bad %s by name", async (path, options) => {
    await using at = await lab();
    const failure = at.start(options);
    await expect(failure).rejects.toBeInstanceOf(InvalidInputError);
    await expect(failure).rejects.toMatchObject({ detail: { path } });
  });

  it("can run without listening", async () => {
    await using at = await lab();
    const first = await at.start();
    const second = await at.start({ listen: [], bootstrap: first.addresses() });
    expect(second.addresses()).toEqual([]);
    await whole([first, second]);
  });

  it("tells others the announced address instead of its own", async () => {
    await using at = await lab();
    const node = await p2p(
      {},
      {
        cluster: at.cluster,
        clusterSecret: SECRET,
        identityFile: join(at.folder, "announcer"),
        announce: ["/dns4/agent.example/tcp/4001"],
        mdns: false,
        topics: [],
      },
    );
    at.defer(async () => node[Symbol.asyncDispose]());
    expect(node.addresses()).toEqual([`/dns4/agent.example/tcp/4001/p2p/${node.signer.peer}`]);
  });
});
