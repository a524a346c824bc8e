import { monitorEventLoopDelay } from "node:perf_hooks";
import {
  type Canonical,
  createSigner,
  decodeCanonical,
  encodeCanonical,
  silentLogger,
  systemClock,
} from "@chorus/kernel";
import { memoryNetwork } from "@chorus/kernel/testing";
import { type Ledger, ledger, type LogStore, sqliteLogStore, type StateMachine } from "../src/index.ts";
import { fakeLeadership, GENESIS, type Position, seal } from "../src/testing/index.ts";

const RECORDS = 100_000;
const CHUNK = 64;

interface Measured {
  readonly metric: string;
  readonly value: number;
  readonly unit: string;
}

/** One record for each command, about as large as that of a finished task. */
const records: StateMachine<Map<number, Canonical>, number> = {
  initial: () => new Map(),
  apply(state, { index }) {
    state.set(index, {
      index,
      name: `task-${index}`,
      state: "completed",
      spec: "x".repeat(300),
      attempts: [1, 2, 3],
    });
    return { state, result: index };
  },
  snapshot(state) {
    const captured = [...state.entries()];
    return (function* parts() {
      for (let at = 0; at < captured.length; at += CHUNK)
        yield encodeCanonical(captured.slice(at, at + CHUNK));
    })();
  },
  restore(parts) {
    const state = new Map<number, Canonical>();
    for (const part of parts)
      for (const [index, record] of decodeCanonical(part) as [number, Canonical][]) state.set(index, record);
    return state;
  },
};

/** What a snapshot of 100,000 records costs who takes it while it goes on appending. */
export async function measureSnapshot(file: string): Promise<readonly Measured[]> {
  using store = sqliteLogStore(file);
  await fill(store);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const from = performance.now();
  const first = await open(store, 1);
  const replayed = performance.now();
  delay.enable();
  const turns = watchTurns();
  let slowest = 0;
  while ((await store.snapshot()) === undefined) {
    const sent = performance.now();
    await first.propose(new Uint8Array(256));
    slowest = Math.max(slowest, performance.now() - sent);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const taken = performance.now();
  delay.disable();
  turns.stop();
  await first[Symbol.asyncDispose]();
  const reopened = performance.now();
  const again = await open(store, 2);
  const restored = performance.now();
  await again[Symbol.asyncDispose]();
  const name = "snapshot of 100,000 records";
  return [
    { metric: `${name}, longest stall`, value: delay.max / 1e6, unit: "ms" },
    { metric: `${name}, longest turn in processor time`, value: turns.longest(), unit: "ms" },
    { metric: `${name}, p99 of stalls`, value: delay.percentile(99) / 1e6, unit: "ms" },
    { metric: `${name}, slowest proposal meanwhile`, value: slowest, unit: "ms" },
    { metric: `${name}, taken in`, value: taken - replayed, unit: "ms" },
    { metric: `${name}, start by replay of all entries`, value: replayed - from, unit: "ms" },
    { metric: `${name}, start from it`, value: restored - reopened, unit: "ms" },
  ];
}

/** What this thread has worked between two looks of the event loop: a machine that is busy elsewhere does not show. */
function watchTurns(): { readonly stop: () => void; readonly longest: () => number } {
  let [running, longest, before] = [true, 0, worked()];
  const look = (): void => {
    const now = worked();
    longest = Math.max(longest, now - before);
    before = now;
    if (running) setTimeout(look, 1);
  };
  setTimeout(look, 1);
  return {
    stop() {
      running = false;
    },
    longest: () => longest,
  };
}

function worked(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

async function fill(store: LogStore): Promise<void> {
  let at: Position = GENESIS;
  for (let done = 0; done < RECORDS; done += 1000) {
    const drafts = Array.from({ length: 1000 }, (_, i) => ({
      id: `${done + i}`,
      command: new Uint8Array(256),
    }));
    const entries = seal(at, 1, drafts);
    at = entries.at(-1) ?? at;
    await store.append(entries, at.index);
  }
}

async function open(store: LogStore, lives: number): Promise<Ledger<Map<number, Canonical>, number>> {
  const signer = await createSigner(new Uint8Array(32).fill(9));
  const { peer, streams } = memoryNetwork().join(signer);
  const leads = fakeLeadership();
  for (let term = 0; term < lives; term++) leads.lead(peer);
  const ports = { streams, leadership: leads.of(peer), store, machine: records };
  return ledger({ ...ports, clock: systemClock, logger: silentLogger }, { snapshotEntries: RECORDS + 10 });
}
