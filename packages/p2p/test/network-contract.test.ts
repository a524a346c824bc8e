import { createSigner } from "@chorus/kernel";
import { memoryNetwork } from "@chorus/kernel/testing";
import { describe, it } from "vitest";
import { type ContractMember, type ContractNetwork, networkContract } from "../src/testing/index.ts";
import { audible, lab, TOPIC, trio } from "./fixtures/mesh.ts";

const networks: Record<string, () => Promise<ContractNetwork & AsyncDisposable>> = {
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
  libp2p: async () => {
    const at = await lab();
    const nodes = await trio(at);
    await audible(nodes);
    const members = nodes.map((node) => ({
      peer: node.signer.peer,
      pubsub: node.pubsub,
      streams: node.streams,
      leave: async () => node[Symbol.asyncDispose](),
    }));
    const { cluster } = at;
    return {
      cluster,
      topic: TOPIC,
      members: three(members),
      [Symbol.asyncDispose]: () => at[Symbol.asyncDispose](),
    };
  },
};

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
