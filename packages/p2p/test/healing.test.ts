import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parsePeerId } from "@chorus/kernel";
import { type ManualClock, manualClock } from "@chorus/kernel/testing";
import { multiaddr } from "@multiformats/multiaddr";
import { describe, expect, it, vi } from "vitest";
import { parseBook } from "../src/book-file.ts";
import type { P2p } from "../src/index.ts";
import { cable, doorkeeper, inside, Partition } from "./fixtures/faults.ts";
import { audible, lab, met, trio, whole } from "./fixtures/mesh.ts";
import { asPeerId } from "../src/peer-ids.ts";
import { addressOf } from "./fixtures/stranger.ts";
import { spawnPeer } from "./fixtures/spawn-peer.ts";
import { type Adjust, bare } from "./fixtures/bare.ts";

const MINUTE = 60_000;

// Several nodes and processes each, on a machine that may be busy with others.
vi.setConfig({ testTimeout: 90_000 });

/** Notices a dead connection sooner than in production. */
const watchful: Adjust = (settings) => ({
  ...settings,
  connectionMonitor: { pingInterval: 500, pingTimeout: { minTimeout: 800, maxTimeout: 1_500 } },
});

function portOf(node: P2p): number {
  return Number(node.addresses()[0]?.split("/")[4]);
}

/** Lets the nodes' time pass until the work is done. */
async function passing(clock: ManualClock, work: Promise<unknown>): Promise<void> {
  const state = { done: false };
  void work.finally(() => (state.done = true)).catch(() => undefined);
  while (!state.done) await clock.advance(100);
  await work;
}

describe("a mesh that was parted", () => {
  it("is whole again after ten minutes two against one", async () => {
    await using at = await lab();
    const clock = manualClock(Date.now());
    const partition = new Partition();
    const { adjust } = partition;
    const first = await at.start({ clock, adjust });
    const bootstrap = first.addresses();
    const rest = await Promise.all([1, 2].map(() => at.start({ clock, adjust, bootstrap })));
    const nodes = [first, ...rest];
    await passing(clock, whole(nodes));
    const minority = new Set(nodes.slice(2).map(({ signer }) => signer.peer));
    partition.part((peer) => (minority.has(peer) ? 1 : 0));
    for (const far of minority) for (const node of nodes.slice(0, 2)) await met(node, far, false);
    for (let n = 0; n < 10; n++) await clock.advance(MINUTE);
    expect(nodes.map((node) => node.streams.peers().length)).toEqual([1, 1, 0]);
    await audible(nodes.slice(0, 2));
    partition.heal();
    await clock.advance(15_000);
    await passing(clock, whole(nodes));
    await audible(nodes);
  });

  it("is whole again after a cable swallowed everything", async () => {
    await using at = await lab();
    let port = 0;
    let listening = (): number => 0;
    await using wire = await cable(() => port);
    const announce = [`/ip4/127.0.0.1/tcp/${wire.port}`];
    const near = await at.start({
      announce,
      adjust: (settings) =>
        inside(({ transportManager }) => {
          listening = () => Number(transportManager.getAddrs()[0]?.toString().split("/")[4]);
        })(watchful(settings)),
    });
    port = listening();
    const far = await at.start({ adjust: watchful, listen: [], bootstrap: near.addresses() });
    await whole([near, far]);
    await audible([near, far]);
    wire.cut();
    await met(near, far.signer.peer, false);
    await met(far, near.signer.peer, false);
    wire.heal();
    await whole([near, far]);
    await audible([near, far]);
  });
});

describe("a node that starts again", () => {
  it("finds its mesh by its own address book, from another port, with nothing else to go by", async () => {
    await using at = await lab();
    const [first, second] = await trio(at);
    const mover = await at.start({ name: "mover", bootstrap: first.addresses() });
    await whole([first, second, mover]);
    await mover[Symbol.asyncDispose]();
    const back = await at.start({ name: "mover" });
    expect(back.addresses()).not.toEqual(mover.addresses());
    await whole([first, second, back]);
    await audible([first, second, back]);
  });

  it("finds nobody without one", async () => {
    await using at = await lab();
    const clock = manualClock(Date.now());
    const first = await at.start({ clock });
    const options = { name: "mover", addressBookFile: false as const, clock };
    const mover = await at.start({ ...options, bootstrap: first.addresses() });
    await whole([first, mover]);
    await mover[Symbol.asyncDispose]();
    const back = await at.start(options);
    await clock.advance(10 * MINUTE);
    expect(back.streams.peers()).toEqual([]);
  });

  it("finds its mesh also after it was killed", async () => {
    await using at = await lab();
    const node = await at.start();
    const first = await spawnPeer(at, { bootstrap: node.addresses()[0]! });
    const peer = parsePeerId(first.address.split("/p2p/")[1]);
    await met(node, peer);
    const book = join(at.folder, "child.peers");
    const known = async (): Promise<unknown> =>
      parseBook(await readFile(book).catch(() => new Uint8Array()), at.cluster).map((member) => member.peer);
    await expect.poll(() => known().catch(() => []), { timeout: 60_000 }).toContain(node.signer.peer);
    first.child.kill("SIGKILL");
    await met(node, peer, false);
    const second = await spawnPeer(at, {});
    expect(second.address).not.toBe(first.address);
    await met(node, peer);
  });
});

describe("a member", () => {
  it("tells the others of a new address while it runs", async () => {
    await using at = await lab();
    let listen: (address: string) => Promise<void> = () => Promise.reject(new Error("not started"));
    const adjust = inside(({ transportManager }) => {
      listen = (address) => transportManager.listen([multiaddr(address)]);
    });
    const mover = await at.start({ adjust });
    const other = await at.start({ name: "other", bootstrap: mover.addresses() });
    await whole([mover, other]);
    const known = async (): Promise<readonly string[]> => {
      const bytes = await readFile(join(at.folder, "other.peers"));
      return parseBook(bytes, at.cluster)
        .flatMap((member) => member.addresses)
        .toSorted();
    };
    const addresses = (): string[] =>
      mover
        .addresses()
        .map((address) => address.split("/p2p/")[0] ?? "")
        .toSorted();
    const agreed = (): Promise<void> =>
      expect.poll(() => known().catch(() => []), { timeout: 60_000 }).toEqual(addresses());
    // What it said when they met is written down: from here on only the news can change it.
    await agreed();
    await listen("/ip4/127.0.0.1/tcp/0");
    expect(addresses().length).toBe(2);
    await agreed();
  });

  it("that was suspended is missed, and back when it goes on", async () => {
    await using at = await lab();
    const node = await at.start({ adjust: watchful });
    const { child, address } = await spawnPeer(at, { bootstrap: node.addresses()[0]! });
    const peer = parsePeerId(address.split("/p2p/")[1]);
    await met(node, peer);
    child.kill("SIGSTOP");
    await met(node, peer, false);
    child.kill("SIGCONT");
    await met(node, peer);
  });
});

describe("a member that leaves", () => {
  it("is not searched for, as one that is lost would be", async () => {
    await using at = await lab();
    const clock = manualClock(Date.now());
    const first = await at.start({ clock });
    const leaver = await at.start({ clock, name: "leaver", bootstrap: first.addresses() });
    const lost = await bare(at, { name: "lost" });
    await lost.dial(addressOf(first));
    const second = await at.start({ clock, bootstrap: first.addresses() });
    await passing(clock, whole([first, second, leaver]));
    await passing(clock, met(first, asPeerId(lost.peerId)!));
    const ports = [portOf(leaver), Number(lost.getMultiaddrs()[0]?.toString().split("/")[4])];
    await leaver[Symbol.asyncDispose]();
    await lost.stop();
    for (const node of [first, second]) await met(node, leaver.signer.peer, false);
    await using left = await doorkeeper(ports[0]!);
    await using gone = await doorkeeper(ports[1]!);
    for (let n = 0; n < 9; n++) await clock.advance(MINUTE);
    expect(gone.knocks()).toBeGreaterThan(20);
    // kad-dht asks those in its table once, and then strikes them off.
    expect(left.knocks()).toBeLessThan(5);
    await left[Symbol.asyncDispose]();
    const back = await at.start({ clock, name: "leaver" });
    await passing(clock, whole([first, second, back]));
  });
});
