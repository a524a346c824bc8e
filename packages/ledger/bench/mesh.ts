import { join } from "node:path";
import { createSigner, silentLogger, systemClock } from "@chorus/kernel";
import { type Ledger, type Leadership, ledger, sqliteLogStore } from "../src/index.ts";
import { socketStreams } from "./sockets.ts";

/** A machine that costs next to nothing. */
const machine = { initial: () => 0, apply: (count: number) => ({ state: count + 1, result: count + 1 }) };

/** Opens one of so many voters; the first one leads for good. */
export async function openMember(
  number: number,
  directory: string,
  voters: number,
): Promise<Ledger<number, number>> {
  const signers = await Promise.all(
    Array.from({ length: voters }, (_, n) => createSigner(new Uint8Array(32).fill(n + 1))),
  );
  const peers = signers.map(({ peer }) => peer);
  const [leader] = peers;
  const self = peers[number];
  if (leader === undefined || self === undefined) throw new RangeError("there is no such voter");
  const admin = { peer: leader, term: 1 };
  const leadership: Leadership = {
    admin: () => admin,
    isAdmin: () => number === 0,
    async *changes() {
      yield admin;
    },
    config: () => ({ voters: peers.map((peer) => ({ peer })) }),
    term: () => 1,
  };
  const { streams } = await socketStreams(self, directory, number > 0);
  const store = sqliteLogStore(join(directory, `${number}.sqlite`));
  return ledger(
    { streams, leadership, store, machine, clock: systemClock, logger: silentLogger },
    { ackReplicas: 1 },
  );
}
