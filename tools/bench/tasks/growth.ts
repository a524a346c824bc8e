import { median } from "../compare.ts";
import type { Figure } from "../figure.ts";
import { finishedTasks } from "./finished.ts";
import { processorSeconds } from "./processor-time.ts";
import { chorusSized, started } from "./systems.ts";

const bench = "tasks";
const CALLERS = 30;
const ROUND_MS = 4000;
const MIB = 1_048_576;
const FINISHED = 100_000;

/** What more voters, more workers, and a long history cost. */
export async function* growth(): AsyncIterable<Figure> {
  for (const voters of [1, 3, 5, 7]) yield* sized({ voters, workers: 0 });
  // Beside the three that vote; each voter works as well.
  for (const workers of [3, 10, 30]) yield* sized({ voters: 3, workers: workers - 3 });
  const { restartMs, residentBytes, emptyBytes, fileBytes } = await finishedTasks(FINISHED);
  const of = `${FINISHED.toLocaleString("en")} finished tasks in the ledger`;
  yield { bench, metric: `restart with ${of}`, value: restartMs, unit: "ms" };
  yield { bench, metric: `memory with ${of}`, value: residentBytes / MIB, unit: "MiB" };
  yield { bench, metric: "memory with none", value: emptyBytes / MIB, unit: "MiB" };
  yield { bench, metric: `ledger file with ${of}`, value: fileBytes / MIB, unit: "MiB" };
}

/** @param size.workers those without a vote */
async function* sized(size: { voters: number; workers: number }): AsyncIterable<Figure> {
  const system = chorusSized(size);
  const of = `${system.name}, ${CALLERS} callers`;
  const result = await started(system, { processes: 1, capacity: 16 });
  if (typeof result === "string") {
    const metric = `submit to complete, ${of}`;
    yield { bench, metric, value: Number.NaN, unit: "tasks/s", against: result };
    return;
  }
  await using running = result;
  const { fleet, pids } = running;
  await fleet.load(CALLERS, ROUND_MS);
  const before = processorSeconds(pids());
  const { rate, latencies, failed } = await fleet.load(CALLERS, ROUND_MS);
  const used = (processorSeconds(pids()) - before) * 1000;
  const looks = await Promise.all(fleet.children.map((child) => child.look()));
  yield { bench, metric: `submit to complete, ${of}`, value: rate, unit: "tasks/s" };
  yield { bench, metric: `processor time a task, ${of}`, value: used / latencies.length, unit: "ms" };
  if (failed > 0) yield { bench, metric: `not completed, ${of}`, value: failed, unit: "tasks" };
  const memory = median(looks.map(({ rssBytes }) => rssBytes)) / MIB;
  yield { bench, metric: `memory of a process, median, ${of}`, value: memory, unit: "MiB" };
}
