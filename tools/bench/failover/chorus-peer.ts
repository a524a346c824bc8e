import { join } from "node:path";
import { setInterval as every } from "node:timers/promises";
import { election, sqliteVoteStore } from "@chorus/election";
import { type PeerId, silentLogger, systemClock } from "@chorus/kernel";
import { p2p } from "@chorus/p2p";

/** What the parent says, once, when it knows all names. */
export interface Voters {
  readonly voters: readonly PeerId[];
}

/** What this process says. */
export type Report =
  | { readonly kind: "started"; readonly peer: PeerId; readonly address: string }
  | {
      readonly kind: "admin";
      readonly peer: PeerId | undefined;
      readonly self: boolean;
      readonly at: string;
    };

const TOPIC = "chorus/election/v1";
const [folder = "", ...bootstrap] = process.argv.slice(2);
process.once("disconnect", () => process.exit(0));
const mesh = await p2p(
  {},
  {
    cluster: "failover",
    clusterSecret: new Uint8Array(32).fill(5),
    identityFile: join(folder, "identity"),
    bootstrap,
    mdns: false,
    topics: [TOPIC],
  },
);
const { signer, streams, pubsub } = mesh;
const voters = new Promise<readonly PeerId[]>((resolve) =>
  process.once("message", (message: Voters) => resolve(message.voters)),
);
tell({ kind: "started", peer: signer.peer, address: mesh.addresses()[0] ?? "" });
const store = sqliteVoteStore(join(folder, "votes.sqlite"));
const ports = {
  streams,
  pubsub,
  signer,
  store,
  clock: systemClock,
  random: Math.random,
  logger: silentLogger,
};
const elected = await election(ports, { cluster: "failover", role: "voter", voters: await voters });
let last = "";
// The lease begins without an event, so it is looked at; two milliseconds are small against what is measured.
for await (const _tick of every(2)) {
  const [peer, self] = [elected.admin()?.peer, elected.isAdmin()];
  if (last === `${peer} ${self}`) continue;
  last = `${peer} ${self}`;
  tell({ kind: "admin", peer, self, at: String(process.hrtime.bigint()) });
}

function tell(report: Report): void {
  process.send?.(report);
}
