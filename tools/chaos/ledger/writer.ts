// A process of its own that leads alone and proposes without end. It prints `INDEX NAME` for each proposal as soon as
// the ledger has acknowledged it. Arguments: the log's file, the term, and perhaps `early-ack`.
import { createSigner, silentLogger, systemClock } from "@chorus/kernel";
import { memoryNetwork } from "@chorus/kernel/testing";
import { ledger, sqliteLogStore } from "@chorus/ledger";
import { writeSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";

const LANES = 16;
const EARLY_MS = 20;
const [file = "", term = "1", mutant] = process.argv.slice(2);
const signer = await createSigner(new Uint8Array(32).fill(1));
const { peer, streams } = memoryNetwork().join(signer);
const admin = { peer, term: Number(term) };
const leadership = {
  admin: () => admin,
  isAdmin: () => true,
  async *changes() {
    yield admin;
  },
};
const machine = { initial: () => 0, apply: (count: number) => ({ state: count + 1, result: count + 1 }) };
const log = await ledger({
  streams,
  leadership,
  store: sqliteLogStore(file),
  machine,
  clock: systemClock,
  logger: silentLogger,
});
await Promise.all(Array.from({ length: LANES }, (_, lane) => propose(lane)));

/** Sizes differ from lane to lane, so that a batch fills pages of the disk in many ways. */
async function propose(lane: number): Promise<void> {
  const padding = ".".repeat((lane * 701) % 8192);
  for (let i = 0; ; i++) {
    const name = `${term}-${lane}-${i}`;
    if (mutant === "early-ack") {
      writeSync(1, `0 ${name}\n`);
      // Long enough for a kill to fall between the word and the deed.
      await pause(EARLY_MS);
    }
    const { index } = await log.propose(new TextEncoder().encode(`${name} ${padding}`));
    if (mutant !== "early-ack") writeSync(1, `${index} ${name}\n`);
  }
}
