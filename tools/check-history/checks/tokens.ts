import { type History, isClaim, short } from "../history.ts";
import type { Token } from "../record.ts";

/** Tokens rise from claim to claim, and no two claims in the whole mesh share one. */
export function checkTokens(history: History): readonly string[] {
  const found: string[] = [];
  const owners = new Map<string, string>();
  for (const [task, events] of history.tasks()) {
    let last: Token | undefined;
    for (const { seq, type, token } of events) {
      if (!isClaim(type) || token === undefined) continue;
      if (last !== undefined && !isAbove(token, last))
        found.push(`task ${short(task)}: token ${text(token)} of event ${seq} is not above ${text(last)}`);
      const owner = owners.get(text(token));
      if (owner !== undefined && owner !== task)
        found.push(`token ${text(token)} was given for ${short(owner)} and for ${short(task)}`);
      owners.set(text(token), task);
      last = token;
    }
  }
  return found;
}

/** The ledger says `committed` to the one worker whose token the end of the task bears, and to no other. */
export function checkFencing(history: History): readonly string[] {
  const tasks = history.tasks();
  const committed = history.all("completion").filter(({ answer }) => answer === "committed");
  const winners = Map.groupBy(committed, ({ task }) => task);
  const twice = [...winners].flatMap(([task, list]) => {
    const tokens = new Set(list.map(({ token }) => text(token)));
    return tokens.size > 1
      ? [`task ${short(task)} was committed under ${tokens.size} tokens: ${[...tokens].join(", ")}`]
      : [];
  });
  const strangers = committed.flatMap(({ task, token, peer }) => {
    const claims = (tasks.get(task) ?? []).filter(({ type }) => isClaim(type));
    const last = claims.at(-1)?.token;
    if (last === undefined || text(last) === text(token)) return [];
    return [
      `task ${short(task)}: peer ${peer} committed under ${text(token)}, the last claim is ${text(last)}`,
    ];
  });
  return [...twice, ...strangers];
}

/** Who was stopped past its lease ends nothing under the old token. */
export function checkZombies(history: History): readonly string[] {
  const tasks = history.tasks();
  const completions = history.all("completion");
  return history.all("zombie").flatMap(({ peer, task, token, stopped }) => {
    const claims = (tasks.get(task) ?? []).filter(({ type }) => isClaim(type));
    const late = completions.some(
      (one) =>
        one.task === task &&
        one.peer === peer &&
        text(one.token) === text(token) &&
        one.answer === "committed" &&
        one.at > stopped,
    );
    const replaced = claims.some((claim) => claim.token !== undefined && isAbove(claim.token, token));
    const name = `zombie ${peer} with task ${short(task)} under ${text(token)}`;
    return [
      ...(late ? [`${name} committed after it had been stopped`] : []),
      ...(replaced ? [] : [`${name} was never replaced, so that nothing was shown`]),
    ];
  });
}

/** What a worker made that lost its lease is kept with the task, under the token that it had. */
export function checkEvidence(history: History): readonly string[] {
  const tasks = history.tasks();
  const lives = history.all("life");
  const fenced = history
    .all("completion")
    .filter(({ answer, decision }) => answer === "fenced" && decision !== undefined)
    // Who is killed right after it was fenced has nobody left to tell of it.
    .filter(({ peer, at }) => !lives.some((life) => life.peer === peer && life.at > at));
  const losers = new Map(
    [...history.all("loser"), ...fenced].map((one) => [`${one.task} ${text(one.token)}`, one]),
  );
  return [...losers.values()].flatMap(({ task, token, peer }) => {
    const kept = (tasks.get(task) ?? []).some(
      ({ superseded }) => superseded !== undefined && text(superseded.token) === text(token),
    );
    return kept ? [] : [`task ${short(task)}: what peer ${peer} made under ${text(token)} is not kept`];
  });
}

function isAbove(a: Token, b: Token): boolean {
  return a.term > b.term || (a.term === b.term && a.index > b.index);
}

function text({ term, index }: Token): string {
  return `${term}.${index}`;
}
