import type { PeerId } from "@chorus/kernel";
import type { Task } from "../tasks/machine.ts";
import type { Sent } from "./commands.ts";
import type { Step } from "./history.ts";
import type { Judge } from "./promises.ts";
import { nameOf, type TargetBook } from "./target-book.ts";
import { isTerminal } from "./task-core.ts";

interface Token {
  readonly term: number;
  readonly index: number;
}

/** What an onlooker concludes from commands and answers, apart from the machine under test. */
interface Seen {
  readonly request: string;
  record: Task;
  last: Token;
  /** Whoever may act now. */
  lease: { readonly token: Token; readonly holder: PeerId } | undefined;
  commits: number;
  endedAs: string | undefined;
}

/** Commands that only the holder of the current lease may give, or that name it to take it away. */
const LIFE = new Set([
  "task-renew",
  "task-progress",
  "task-complete",
  "task-fail",
  "task-expire",
  "task-ask",
  "task-hand-back",
  "effect-intent",
]);

/** Watches what each committed command does to its task: G2, G3, G4, G5 and G6. */
export class TaskOnlooker {
  readonly #judge: Judge;
  readonly #targets: TargetBook;
  readonly #seen = new Map<string, Seen>();

  constructor(judge: Judge, targets: TargetBook) {
    this.#judge = judge;
    this.#targets = targets;
  }

  watch({ entry, result, changed }: Step, sent: Sent | undefined): void {
    if (result === undefined) return;
    if (sent === undefined) {
      this.#judge.break("what is committed stays", `nobody proposed what is committed at ${entry.index}`);
      return;
    }
    for (const task of changed) this.#changed(task, sent);
  }

  #changed(after: Task, sent: Sent): void {
    const seen = this.#seen.get(after.id);
    if (seen === undefined) {
      this.#first(after, sent);
      return;
    }
    const { command } = sent;
    if (command["task"] === after.id) this.#command(after, seen, sent);
    this.#history(after, seen);
    this.#effects(after, seen, command);
    this.#end(after, seen);
    if (
      after.state === "expired" &&
      seen.record.state !== "expired" &&
      sent.at < (after.spec.deadline ?? Infinity)
    )
      this.#judge.break("deadlines are kept", `${after.id.slice(0, 6)} expired before its deadline`);
    this.#join(after, seen);
    if (after.failures > after.spec.attempts)
      this.#judge.break("attempts are bounded", `${after.id.slice(0, 6)} failed ${after.failures} times`);
    seen.record = after;
  }

  #first(after: Task, { command }: Sent): void {
    const request = JSON.stringify([command["principal"], command["key"]]);
    const twin = [...this.#seen.values()].some((other) => other.request === request);
    if (command.type !== "task-submit" || twin)
      this.#judge.break("one commit per task", `${command.type} made a second task of one request`);
    this.#seen.set(after.id, {
      request,
      record: after,
      last: { term: 0, index: 0 },
      lease: undefined,
      commits: 0,
      endedAs: isTerminal(after.state) ? after.state : undefined,
    });
  }

  #command(after: Task, seen: Seen, sent: Sent): void {
    const { command, from } = sent;
    const name = `${command.type} of ${after.id.slice(0, 6)}`;
    if (command.type === "task-claim" || command.type === "task-takeover")
      this.#claimed(after, seen, { from, isTaken: command.type === "task-takeover" });
    if (LIFE.has(command.type) && !isAllowed(seen.lease, sent))
      this.#judge.break("tokens rise, one holder", `${name}: a stale token or another peer was let through`);
    if (command.type === "task-complete") seen.commits++;
    if (seen.commits > 1) this.#judge.break("one commit per task", `${name}: it was finished twice`);
    if (after.lease === undefined) seen.lease = undefined;
  }

  /** Only a person takes a lease away from its holder. */
  #claimed(
    after: Task,
    seen: Seen,
    { from, isTaken }: { readonly from: PeerId; readonly isTaken: boolean },
  ): void {
    const { lease } = after;
    const name = `claim of ${after.id.slice(0, 6)}`;
    if (lease === undefined) return;
    if (seen.lease !== undefined && !isTaken)
      this.#judge.break("tokens rise, one holder", `${name}: two hold it`);
    if (!isAfter(lease.token, seen.last))
      this.#judge.break("tokens rise, one holder", `${name}: its token did not rise`);
    seen.last = lease.token;
    seen.lease = { token: lease.token, holder: from };
  }

  /** Nobody works on a task before what it waits for is completed. */
  #join({ id, spec, lease }: Task, { record }: Seen): void {
    const { dependsOn = [], join } = spec;
    if (lease === undefined || record.lease !== undefined || dependsOn.length === 0) return;
    const done = dependsOn.filter((one) => this.#judge.history.tasks.get(one)?.state === "completed");
    if (done.length < (join === "any" ? 1 : dependsOn.length))
      this.#judge.break("dependencies come first", `${id.slice(0, 6)} is held before what it waits for`);
  }

  #history(after: Task, { record }: Seen): void {
    const gap = after.events.find(({ seq }, i) => seq !== i + 1);
    const changed = record.events.some((event, i) => event !== after.events[i]);
    if (gap !== undefined || changed)
      this.#judge.break("events without gap", `${after.id.slice(0, 6)}: its events have a gap or changed`);
  }

  /** What has a receipt now was done, unless a person says so. */
  #effects(after: Task, { record }: Seen, command: Sent["command"]): void {
    for (const effect of after.effects ?? []) {
      const before = record.effects?.find(({ key }) => key === effect.key);
      if (before === effect) continue;
      const name = nameOf(after.id, effect.slot, effect.ordinal);
      if (effect.state === "done") this.#targets.receipt(name);
      if (before?.state === "uncertain" && command["decision"] === "repeat") this.#targets.repeats(name);
    }
  }

  #end(after: Task, seen: Seen): void {
    if (seen.endedAs !== undefined && after.state !== seen.endedAs)
      this.#judge.break(
        "a cancellation or a commit, not both",
        `${after.id.slice(0, 6)} was ${seen.endedAs} and is ${after.state}`,
      );
    if (isTerminal(after.state)) seen.endedAs = after.state;
  }
}

/** The token is the current one, and it is its holder who speaks; that it is gone may be said by all. */
function isAllowed(lease: Seen["lease"], { command, from }: Sent): boolean {
  const token = tokenOf(command["token"]);
  if (lease === undefined || token === undefined || !isSame(lease.token, token)) return false;
  return command.type === "task-expire" || lease.holder === from;
}

function tokenOf(value: unknown): Token | undefined {
  if (typeof value !== "object" || value === null || !("term" in value) || !("index" in value))
    return undefined;
  return { term: Number(value.term), index: Number(value.index) };
}

function isSame(a: Token, b: Token): boolean {
  return a.term === b.term && a.index === b.index;
}

function isAfter(a: Token, b: Token): boolean {
  return a.term > b.term || (a.term === b.term && a.index > b.index);
}
