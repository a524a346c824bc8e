import { join } from "node:path";
import type { PeerId } from "@chorus/kernel";
import type { PeerId as Libp2pPeerId } from "@libp2p/interface";
import { describe, expect, it } from "vitest";
import type { HostContext } from "../src/host.ts";
import type { P2p } from "../src/index.ts";
import { loadIdentity } from "../src/identity.ts";
import { asPeerId } from "../src/peer-ids.ts";
import { lab } from "./fixtures/mesh.ts";

type Door = "denyDialPeer" | "denyInboundEncryptedConnection";

/** Hears what is asked at one door of the gater, and what it answers; `asked` so many times. */
function listenAt(door: Door, times: number) {
  const answers: { peer: PeerId | undefined; denied: boolean }[] = [];
  const asked = Promise.withResolvers<void>();
  const adjust: NonNullable<HostContext["adjust"]> = (settings) => {
    const gater = settings.connectionGater;
    const heard = async (id: Libp2pPeerId, denied: boolean): Promise<boolean> => {
      answers.push({ peer: asPeerId(id), denied });
      if (answers.length === times) asked.resolve();
      return denied;
    };
    const inbound: typeof gater = {
      denyInboundEncryptedConnection: async (id, connection) =>
        heard(id, (await gater?.denyInboundEncryptedConnection?.(id, connection)) ?? false),
    };
    const dial: typeof gater = {
      denyDialPeer: async (id) => heard(id, (await gater?.denyDialPeer?.(id)) ?? false),
    };
    return { ...settings, connectionGater: { ...gater, ...(door === "denyDialPeer" ? dial : inbound) } };
  };
  return { answers, asked: asked.promise, adjust };
}

/** Everyone who comes to a node, until it is asked for. */
function visitors(node: P2p): () => Promise<PeerId[]> {
  const stop = new AbortController();
  const heard = Array.fromAsync(node.streams.changes(stop), ({ peer }) => peer);
  return async () => {
    stop.abort();
    return heard;
  };
}

describe("a revoked peer", () => {
  it("is refused at the door whenever it comes, and never connected", async () => {
    await using at = await lab();
    const { peer } = (await loadIdentity(join(at.folder, "revoked"))).signer;
    const { answers, asked, adjust } = listenAt("denyInboundEncryptedConnection", 2);
    const node = await at.start({ isRevoked: (name) => name === peer, adjust });
    const come = visitors(node);
    await at.start({ name: "revoked", bootstrap: node.addresses() });
    await asked;
    expect(answers.slice(0, 2)).toEqual([1, 2].map(() => ({ peer, denied: true })));
    expect(await come()).toEqual([]);
    expect(node.connections()).toEqual([]);
  });

  it("is not dialled, though it is written down as a member to start from", async () => {
    await using at = await lab();
    const revoked = await at.start();
    const come = visitors(revoked);
    const { peer } = revoked.signer;
    const { answers, asked, adjust } = listenAt("denyDialPeer", 1);
    await at.start({ isRevoked: (name) => name === peer, adjust, bootstrap: revoked.addresses() });
    await asked;
    expect(answers.every(({ denied }) => denied)).toBe(true);
    expect(await come()).toEqual([]);
  });
});
