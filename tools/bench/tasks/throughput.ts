import { loadavg } from "node:os";
import { median } from "../compare.ts";
import type { Figure } from "../figure.ts";
import type { Measured } from "./fleet.ts";
import { processorSeconds } from "./processor-time.ts";
import {
  bullmq,
  chorus,
  chorusAlone,
  graphile,
  graphileTuned,
  jetstream,
  restateOne,
  type Running,
  started,
  type System,
} from "./systems.ts";

const bench = "tasks";
const CALLERS = [1, 16, 64];
const ROUNDS = 3;
const ROUND_MS = 2500;
/** Until the compiler has seen what is often done, and longest for whoever runs most of its code here. */
const WARM_MS = 6000;
const CAPACITY = 64;

interface Entrant {
  readonly system: System;
  readonly running: Running;
}

interface Result {
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
  /** Processor time of all its processes, servers included. */
  readonly processorMs: number;
  /** Tasks that came to another end than completion. */
  readonly failed: number;
}

/**
 * Durable submit to complete of tasks that do nothing, all systems on the machine at once and taking turns, so that
 * whatever else it does slows them alike.
 */
export async function* throughput(): AsyncIterable<Figure> {
  await using stack = new AsyncDisposableStack();
  const entrants: Entrant[] = [];
  for (const system of [chorus, chorusAlone, graphile, graphileTuned, restateOne, bullmq, jetstream]) {
    const running = await started(system, { processes: 1, capacity: CAPACITY });
    if (typeof running === "string") {
      const metric = `submit to complete, ${system.name}`;
      yield { bench, metric, value: Number.NaN, unit: "tasks/s", against: running };
      continue;
    }
    stack.use(running);
    await running.fleet.load(CAPACITY, WARM_MS);
    entrants.push({ system, running });
  }
  for (const callers of CALLERS) {
    yield { bench, metric: "load average of this machine", value: loadavg()[0] ?? 0, unit: "processes" };
    const results = await measure(entrants, callers);
    for (const [{ system }, result] of results) yield* figuresOf(system, callers, result);
    yield* ratiosOf(results, callers);
  }
}

async function measure(
  entrants: readonly Entrant[],
  callers: number,
): Promise<readonly (readonly [Entrant, Result])[]> {
  const rounds = new Map<Entrant, { readonly measured: Measured; readonly processorMs: number }[]>();
  for (let round = 0; round < ROUNDS; round++)
    for (const entrant of entrants) {
      const { fleet, pids } = entrant.running;
      const before = processorSeconds(pids());
      const measured = await fleet.load(callers, ROUND_MS, round);
      const used = (processorSeconds(pids()) - before) * 1000;
      const processorMs = used / measured.latencies.length;
      rounds.set(entrant, [...(rounds.get(entrant) ?? []), { measured, processorMs }]);
    }
  return [...rounds].map(([entrant, all]) => {
    const latencies = all.flatMap(({ measured }) => measured.latencies).toSorted((a, b) => a - b);
    return [
      entrant,
      {
        rate: median(all.map(({ measured }) => measured.rate)),
        p50: at(latencies, 0.5),
        p99: at(latencies, 0.99),
        processorMs: median(all.map((one) => one.processorMs)),
        failed: all.reduce((sum, { measured }) => sum + measured.failed, 0),
      },
    ];
  });
}

function* figuresOf({ name }: System, callers: number, result: Result): Iterable<Figure> {
  const of = `${callers} ${callers === 1 ? "caller" : "callers"}, ${name}`;
  yield { bench, metric: `submit to complete, ${of}`, value: result.rate, unit: "tasks/s" };
  yield { bench, metric: `p50, ${of}`, value: result.p50, unit: "ms" };
  yield { bench, metric: `p99, ${of}`, value: result.p99, unit: "ms" };
  yield { bench, metric: `processor time a task, ${of}`, value: result.processorMs, unit: "ms" };
  if (result.failed > 0) yield { bench, metric: `not completed, ${of}`, value: result.failed, unit: "tasks" };
}

/** Ours against each of the others, from the same rounds. */
function* ratiosOf(results: readonly (readonly [Entrant, Result])[], callers: number): Iterable<Figure> {
  const isOurs = ({ system }: Entrant): boolean => system === chorus || system === chorusAlone;
  const of = `${callers} ${callers === 1 ? "caller" : "callers"}`;
  for (const [ours, { rate: value }] of results.filter(([entrant]) => isOurs(entrant)))
    for (const [{ system }, { rate }] of results.filter(([entrant]) => !isOurs(entrant))) {
      const metric = `submit to complete, ${of}, ${ours.system === chorus ? "ours" : "ours with 1 copy"}`;
      yield { bench, metric, value, unit: "tasks/s", against: system.name, ratio: value / rate };
    }
}

function at(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
