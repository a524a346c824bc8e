import { setTimeout as pause } from "node:timers/promises";
import { type Fleet, fleet, form, type Kind } from "./fleet.ts";

export const topic = "mesh";

/** The shape that `npm run bench` prints. */
interface Figure {
  readonly bench: string;
  readonly metric: string;
  readonly value: number;
  readonly unit: string;
  readonly against?: string;
  readonly ratio?: number;
}

/** A body ends at 64 KiB, envelope included: this much of it is the caller's. */
const LARGEST = 65_536 - 512;
const SIZES = [
  { name: "256 B", size: 256, paced: 100, everyMs: 15, burst: 1500 },
  { name: "4 KiB", size: 4096, paced: 100, everyMs: 15, burst: 1000 },
  { name: "64 KiB", size: LARGEST, paced: 60, everyMs: 50, burst: 200 },
];
const ROUNDS = 3;
const AGAINST = "bare libp2p";
/** Nodes, in how many processes. */
const FORMATIONS = [
  { nodes: 3, processes: 3 },
  { nodes: 10, processes: 10 },
  { nodes: 30, processes: 10 },
];
const GIVE_UP_MS = 90_000;

/** Typed, signed, checked gossip against libp2p's own; how fast a mesh is whole; what a node weighs. */
export async function* run(): AsyncIterable<Figure> {
  yield* gossip();
  for (const formation of FORMATIONS) yield* formationOf(formation);
}

async function* gossip(): AsyncIterable<Figure> {
  await using ours = await fleet("ours", 3);
  await using bare = await fleet("bare", 3);
  await form(ours, 1);
  await introduce(bare);
  for (const size of SIZES) {
    const rounds = await compare(size, { ours, bare });
    for (const [key, unit] of KEYS) {
      const [value, floor] = [median(rounds.ours, key), median(rounds.bare, key)];
      const metric = `gossip ${size.name} ${key}`;
      if (key !== "lost") yield { bench: topic, metric, value, unit, against: AGAINST, ratio: value / floor };
      else if (value > 0 || floor > 0)
        yield { bench: topic, metric, value, unit, against: `${AGAINST}: ${floor}` };
    }
  }
  const [value, floor] = [await weigh(ours), await weigh(bare)];
  yield {
    bench: topic,
    metric: "resident memory of a node",
    value: value / 1_048_576,
    unit: "MiB",
    against: AGAINST,
    ratio: value / floor,
  };
}

/** The contenders take turns; the first round of each compiles and is thrown away. */
async function compare(
  size: (typeof SIZES)[number],
  fleets: Readonly<Record<Kind, Fleet>>,
): Promise<Record<Kind, Round[]>> {
  const rounds: Record<Kind, Round[]> = { ours: [], bare: [] };
  for (let i = 0; i <= ROUNDS; i++)
    for (const kind of ["ours", "bare"] as const) rounds[kind].push(await roundOf(fleets[kind], size));
  return { ours: rounds.ours.slice(1), bare: rounds.bare.slice(1) };
}

interface Round {
  readonly p50: number;
  readonly p99: number;
  readonly rate: number;
  readonly lost: number;
}

const KEYS = [
  ["p50", "ms"],
  ["p99", "ms"],
  ["rate", "messages/s"],
  ["lost", "messages"],
] as const;

async function roundOf({ ships }: Fleet, size: (typeof SIZES)[number]): Promise<Round> {
  const paced = await send(ships, { ...size, count: size.paced });
  const burst = await send(ships, { ...size, count: size.burst, everyMs: 0 });
  const delays = paced.delays.toSorted((a, b) => a - b);
  const at = (share: number): number => delays[Math.floor(delays.length * share)] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99), rate: burst.received / burst.seconds, lost: burst.lost };
}

async function send(
  [publisher, ...receivers]: Fleet["ships"],
  { size, count, everyMs }: { readonly size: number; readonly count: number; readonly everyMs: number },
): Promise<{ delays: number[]; received: number; seconds: number; lost: number }> {
  const expected = receivers.map((ship) => ship.order({ do: "expect", messages: count }));
  const from = process.hrtime.bigint();
  await publisher?.order({ do: "publish", size, count, everyMs });
  const answers = await Promise.all(expected);
  const delays = answers.flatMap(({ delays: own = [] }) => own);
  const last = Math.max(...answers.map(({ at }) => Number(BigInt(at) - from)));
  const received = delays.length / receivers.length;
  return { delays, received, seconds: last / 1e9, lost: count - received };
}

function median(rounds: readonly Round[], key: (typeof KEYS)[number][0]): number {
  const sorted = rounds.map((round) => round[key]).toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

async function weigh({ ships }: Fleet): Promise<number> {
  const answers = await Promise.all(ships.map((ship) => ship.order({ do: "memory" })));
  return answers.reduce((sum, { rssBytes = 0 }) => sum + rssBytes, 0) / ships.length;
}

/** libp2p alone dials only the addresses that it is given: each gets those of all before it. */
async function introduce({ ships }: Fleet, nodesEach = 1): Promise<number> {
  const from = process.hrtime.bigint();
  const known: string[] = [];
  for (const ship of ships) {
    const { addresses = [] } = await ship.order({ do: "start", nodes: nodesEach, bootstrap: known });
    known.push(...addresses);
  }
  const peers = ships.length - 1;
  const whole = await Promise.all(ships.map((ship) => ship.order({ do: "await-peers", peers })));
  await pause(1500);
  return Math.max(...whole.map(({ at }) => Number(BigInt(at) - from) / 1e6));
}

/** From one address on: every pair is connected. Bare libp2p may never get there, which is said by a zero ratio. */
async function* formationOf({ nodes, processes }: (typeof FORMATIONS)[number]): AsyncIterable<Figure> {
  const times: Record<Kind, number> = { ours: Infinity, bare: Infinity };
  for (const kind of ["ours", "bare"] as const) {
    await using started = await fleet(kind, processes);
    const stop = new AbortController();
    const late = pause(GIVE_UP_MS, Infinity, { signal: stop.signal });
    times[kind] = await Promise.race([form(started, nodes / processes), late.catch(() => Infinity)]);
    stop.abort();
  }
  const against = times.bare === Infinity ? `${AGAINST}, not whole after ${GIVE_UP_MS / 1000} s` : AGAINST;
  const base = {
    bench: topic,
    metric: `${nodes} nodes from one address to a full mesh`,
    unit: "ms",
    against,
  };
  yield {
    ...base,
    value: times.ours,
    ...(times.bare === Infinity ? {} : { ratio: times.ours / times.bare }),
  };
}
