import { type History, isEnd, short } from "../history.ts";
import type { DeclaredEffect } from "../record.ts";

/** Each key does one thing in the world, and each declared effect has one key. */
export function checkEffects(history: History): readonly string[] {
  const made = history.all("effect").filter(({ action }) => action === "made");
  const found: string[] = [];
  for (const [name, list] of Map.groupBy(made, ({ target, key }) => `${target}: key ${key}`))
    if (list.length > 1) found.push(`${name} was made ${list.length} times`);
  for (const [name, list] of Map.groupBy(made, (effect) => nameOf(effect))) {
    const keys = new Set(list.map(({ key }) => key));
    if (keys.size > 1) found.push(`${name} was made under ${keys.size} keys`);
  }
  return [
    ...found,
    ...unexpected(history, new Set(made.map((effect) => nameOf(effect)))),
    ...missing(history, made.map(nameOf)),
  ];
}

/** A task that was completed has had its effects. */
function missing(history: History, made: readonly string[]): readonly string[] {
  const present = new Set(made);
  const tasks = history.tasks();
  const declared = new Map(history.acknowledged().map(({ task, call }) => [task, call.effects ?? []]));
  return [...declared].flatMap(([task, effects]) => {
    if (tasks.get(task)?.find(isEnd)?.type !== "task-completed") return [];
    return effects
      .filter((effect) => !present.has(nameOf(effect)))
      .map((effect) => `task ${short(task)} is completed and ${nameOf(effect)} was never made`);
  });
}

/** Nothing happens out there that no task has declared. */
function unexpected(history: History, made: ReadonlySet<string>): readonly string[] {
  const declared = new Set(
    history.all("call").flatMap(({ effects = [] }) => effects.map((effect) => nameOf(effect))),
  );
  return [...made]
    .filter((name) => !declared.has(name))
    .map((name) => `${name} was made, and no task declares it`);
}

function nameOf({ target, subject }: DeclaredEffect): string {
  return `${target}: ${subject}`;
}
