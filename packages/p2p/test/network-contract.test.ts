import { createSigner } from "@chorus/kernel";
import { memoryNetwork } from "@chorus/kernel/testing";
import { describe, it } from "vitest";
import { type ContractMember, type ContractNetwork, networkContract } from "../src/testing/index.ts";
import type { P2p } from "../src/index.ts";
import { audible, type Lab, lab, TOPIC, trio, whole } from "./fixtures/mesh.ts";

/**
 * Where the memory network differs from a real mesh, and the contract says nothing: it delivers every message and in
 * order, since gossip's losses would make tests of its users random; it has every topic, since a mesh of a test need
 * not name them; it has no clocks that differ, no score and no revoked peers, which are p2p's own work.
 */
type Network = ContractNetwork & AsyncDisposable;

const networks: Record<string, () => Promise<Network>> = {
  memoryNetwork: async () => {
    const network = memoryNetwork({ cluster: "memory" });
    const signers = await Promise.all([1, 2, 3].map((n) => createSigner(new Uint8Array(32).fill(n))));
    const members = signers.map((signer) => network.join(signer));
    return {
      cluster: "memory",
      topic: TOPIC,
      members: three(members),
      [Symbol.asyncDispose]: async () => undefined,
    };
  },
  "libp2p over TCP": async () => {
    const at = await lab();
    return meshOf(at, await trio(at));
  },
};

/** What a transport can change: windows, framing, and how an end is noticed. */
const TRANSPORT_CASES = [
  "carries frames of every size whole and in order, both ways",
  "lets other streams pass one that nobody reads",
  "makes a sender wait for a reader that does not read",
  "breaks both sides when one aborts",
  "delivers a message to every other member and not to its sender",
];

const otherTransports: Record<string, () => Promise<Network>> = {
  "libp2p over WebSocket": async () => {
    const at = await lab();
    const listen = ["/ip4/127.0.0.1/tcp/0/ws"];
    const first = await at.start({ listen });
    const bootstrap = first.addresses();
    return meshOf(at, [first, await at.start({ listen, bootstrap }), await at.start({ listen, bootstrap })]);
  },
  // The relay is a fourth member, so what counts members is left to the others.
  "libp2p through a relay": async () => {
    const at = await lab();
    const relay = await at.start({ serveRelay: true });
    const options = { listen: [], useRelays: 1, bootstrap: relay.addresses() };
    return meshOf(at, await Promise.all([1, 2, 3].map(async () => at.start(options))));
  },
};

async function meshOf(at: Lab, nodes: readonly P2p[]): Promise<Network> {
  await whole(nodes);
  await audible(nodes);
  const members = nodes.map((node) => ({
    peer: node.signer.peer,
    pubsub: node.pubsub,
    streams: node.streams,
    leave: async () => node[Symbol.asyncDispose](),
  }));
  return {
    cluster: at.cluster,
    topic: TOPIC,
    members: three(members),
    [Symbol.asyncDispose]: () => at[Symbol.asyncDispose](),
  };
}

function three<T extends ContractMember>(members: readonly T[]): [T, T, T] {
  const [a, b, c] = members;
  if (!a || !b || !c) throw new Error("three members expected");
  return [a, b, c];
}

for (const [name, setup] of Object.entries(networks))
  describe(`the network contract over ${name}`, () => {
    it.for(networkContract)("$name", async ({ run }) => {
      await using network = await setup();
      await run(network);
    });
  });

describe.each(Object.entries(otherTransports))("the network contract over %s", (_, setup) => {
  it.for(networkContract.filter(({ name }) => TRANSPORT_CASES.includes(name)))("$name", async ({ run }) => {
    await using network = await setup();
    await run(network);
  });
});
