import { type History, isEnd, short } from "../history.ts";
import type { EventFact } from "../record.ts";

/** Who asks twice gets one task: the same key has one name at every peer, and two keys never share one. */
export function checkIdentity(history: History): readonly string[] {
  const byKey = Map.groupBy(history.acknowledged(), ({ call }) => call.key);
  const byTask = Map.groupBy(history.acknowledged(), ({ task }) => task);
  const split = [...byKey].flatMap(([key, list]) => {
    const tasks = new Set(list.map(({ task }) => task));
    return tasks.size > 1
      ? [`key ${key} became ${tasks.size} tasks: ${[...tasks].map(short).join(", ")}`]
      : [];
  });
  const merged = [...byTask].flatMap(([task, list]) => {
    const keys = new Set(list.map(({ call }) => call.key));
    return keys.size > 1
      ? [`task ${short(task)} answers for ${keys.size} keys: ${[...keys].join(", ")}`]
      : [];
  });
  return [...split, ...merged];
}

interface Expected {
  readonly task: string;
  readonly key: string;
  readonly expects: string | undefined;
}

/** Nothing acknowledged is lost: it has ended, once, at every peer that was there at the end. */
export function checkEnds(history: History): readonly string[] {
  const expected = new Map<string, Expected>();
  for (const { task, call } of history.acknowledged())
    expected.set(task, { task, key: call.key, expects: call.expects ?? expected.get(task)?.expects });
  const final = history.final();
  if (expected.size > 0 && final.length === 0)
    return ["the history has no end: nobody can be held to have seen what was acknowledged"];
  return final.flatMap(({ peer, views }) => {
    const seen = new Map(views.map((view) => [view.task, view.events]));
    return [...expected.values()].flatMap((one) => {
      const problem = problemOf(seen.get(one.task), one, `at peer ${peer}`);
      return problem === undefined ? [] : [`task ${short(one.task)} (${one.key}) ${problem}`];
    });
  });
}

function problemOf(
  events: readonly EventFact[] | undefined,
  { expects }: Expected,
  where: string,
): string | undefined {
  if (events === undefined) return `was acknowledged and is lost ${where}`;
  const end = events.find(isEnd)?.type;
  if (end === undefined) return `was acknowledged and has not ended ${where}`;
  if (expects === undefined || end === `task-${expects}`) return undefined;
  return `ended as ${end} ${where}, not as task-${expects}`;
}
