import { median } from "../compare.ts";
import type { Figure } from "../figure.ts";
import {
  bullmq,
  bullmqTuned,
  chorus,
  jetstream,
  jetstreamTuned,
  restateOne,
  started,
  type System,
} from "./systems.ts";

const bench = "tasks";
const METRIC = "worker killed to running elsewhere";

/** Two workers, of which one dies; half a minute and more is not waited for twice. */
const OTHERS: readonly { readonly system: System; readonly rounds: number }[] = [
  { system: restateOne, rounds: 5 },
  { system: bullmq, rounds: 1 },
  { system: bullmqTuned, rounds: 3 },
  { system: jetstream, rounds: 1 },
  { system: jetstreamTuned, rounds: 3 },
];
const OUR_ROUNDS = 7;

interface Taken {
  readonly ms: number;
  readonly wasLeader: boolean;
}

/** From the SIGKILL of a process that runs a task to the start of the same task in another one. */
export async function* takeover(): AsyncIterable<Figure> {
  const ours = await times(chorus, 3, OUR_ROUNDS);
  if (typeof ours === "string") throw new Error(ours);
  const all = ours.map(({ ms }) => ms);
  const value = median(all);
  yield { bench, metric: `${METRIC}, median, CHORUS (3 voters, lease 5 s)`, value, unit: "ms" };
  yield { bench, metric: `${METRIC}, worst, CHORUS`, value: Math.max(...all), unit: "ms" };
  const leaders = ours.filter(({ wasLeader }) => wasLeader).map(({ ms }) => ms);
  if (leaders.length > 0)
    yield { bench, metric: `${METRIC}, CHORUS, who led as well`, value: median(leaders), unit: "ms" };
  for (const { system, rounds } of OTHERS) yield* figuresOf(system, await times(system, 2, rounds), value);
  yield {
    bench,
    metric: `${METRIC}, graphile-worker`,
    value: Number.NaN,
    unit: "ms",
    against: "its documented four hours are not waited for",
  };
}

function* figuresOf(system: System, taken: readonly Taken[] | string, ours: number): Iterable<Figure> {
  const metric = `${METRIC}, median, ${system.name}`;
  if (typeof taken === "string") {
    yield { bench, metric, value: Number.NaN, unit: "ms", against: taken };
    return;
  }
  const theirs = median(taken.map(({ ms }) => ms));
  yield { bench, metric, value: theirs, unit: "ms" };
  yield {
    bench,
    metric: `${METRIC}, median, ours`,
    value: ours,
    unit: "ms",
    against: system.name,
    ratio: ours / theirs,
  };
}

/** @returns why there are none, for people, where the system did not start */
async function times(system: System, processes: number, rounds: number): Promise<readonly Taken[] | string> {
  const result = await started(system, { processes, capacity: 16 });
  if (typeof result === "string") return result;
  await using running = result;
  const taken: Taken[] = [];
  for (let round = 0; round < rounds; round++) taken.push(await running.fleet.takeover(`hold-${round}`));
  return taken;
}
