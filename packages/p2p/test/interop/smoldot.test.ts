import { setTimeout as pause } from "node:timers/promises";
import { chainSpec } from "@substrate/connect-known-chains/westend2";
import type { Connection, IdentifyResult, Libp2pEvents, Stream, TypedEventTarget } from "@libp2p/interface";
import type { Ping } from "@libp2p/ping";
import { start } from "smoldot";
import { expect, it } from "vitest";
import { startNode } from "../../src/p2p.ts";
import { lab, TOPIC } from "../fixtures/mesh.ts";
import { addressOf } from "../fixtures/stranger.ts";

const PING = "/ipfs/ping/1.0.0";

/** Parts of the node that only libp2p itself sees. */
interface Inside {
  readonly events: TypedEventTarget<Libp2pEvents>;
  readonly ping: Ping;
}

/** Its WebAssembly is compiled first, which a busy machine takes its time for. */
const LONG_MS = 120_000;

/** smoldot is a light client of a chain whose only known node is ours, which it cannot find out before it has asked. */
it("is dialled by smoldot, a libp2p of other authors: TCP, Noise, yamux, identify, ping both ways", {
  timeout: LONG_MS,
}, async () => {
  await using at = await lab();
  const { cluster, folder } = at;
  let events: Inside["events"] | undefined;
  let ping: Ping | undefined;
  const node = await startNode(
    {},
    { cluster, identityFile: `${folder}/ours`, mdns: false, topics: [TOPIC] },
    (settings) => {
      const make = settings.services!.ping;
      const spied: typeof make = (components) => {
        ({ events } = components as unknown as Inside);
        return (ping = make(components));
      };
      return { ...settings, services: { ...settings.services!, ping: spied } };
    },
  );
  at.defer(async () => node[Symbol.asyncDispose]());
  const identified = new Promise<IdentifyResult>((resolve) => {
    events!.addEventListener("peer:identify", ({ detail }) => resolve(detail), { once: true });
  });
  const client = start({ logCallback: () => undefined });
  at.defer(async () => client.terminate());
  const spec = { ...JSON.parse(chainSpec), bootNodes: [addressOf(node).toString()] };
  await client.addChain({ chainSpec: JSON.stringify(spec), disableJsonRpc: true });
  const { agentVersion, protocols, connection } = await identified;
  expect(agentVersion).toBe("smoldot-light-wasm 3.4.1");
  expect(protocols).toContain(PING);
  expect(connection.direction).toBe("inbound");
  expect(connection.encryption).toBe("/noise");
  expect(connection.multiplexer).toBe("/yamux/1.0.0");
  expect(connection.remoteAddr.toString()).toMatch(/^\/ip4\/127\.0\.0\.1\/tcp\//);
  expect(await ping!.ping(connection.remotePeer)).toBeGreaterThanOrEqual(0);
  const theirs = await pinged(connection);
  expect(theirs.status).toBe("open");
  expect(connection.status).toBe("open");
});

/** Their stream of pings: it stays open for as long as every answer is right. */
async function pinged(connection: Connection): Promise<Stream> {
  for (;;) {
    const stream = connection.streams.find(
      ({ protocol, direction }) => protocol === PING && direction === "inbound",
    );
    if (stream !== undefined) return stream;
    await pause(20);
  }
}
