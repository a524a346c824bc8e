import type { PeerId } from "@chorus/kernel";
import type { Sent, Token } from "./commands.ts";
import type { Result, Task, Tasks } from "./machine.ts";

/** What an onlooker knows of a task from the answers alone, apart from the machine under test. */
interface Seen {
  readonly request: string;
  readonly goal: string;
  last: Token;
  /** Whoever may act now. */
  lease: { readonly token: Token; readonly holder: PeerId } | undefined;
  over: boolean;
  record: Task;
}

/** One command and what the ledger's machine made of it. */
export interface Step {
  readonly sent: Sent;
  readonly result: Result;
  /** The task it is about, as it is now. */
  readonly after: Task | undefined;
}

/**
 * Watches the promises of a task's life: acknowledged tasks stay, each is finished at most once, tokens only
 * rise, whoever holds no current lease changes nothing, and events are numbered without a gap.
 */
export class Onlooker {
  readonly #seen = new Map<string, Seen>();
  readonly #broken: string[] = [];

  get broken(): readonly string[] {
    return this.#broken;
  }

  watch(step: Step): void {
    const { sent, result, after } = step;
    if (result.status === "applied")
      this.#expect(after?.id === result.taskId, step, "an answer without its task");
    if (after === undefined) return;
    const seen = this.#seen.get(after.id);
    if (seen?.record === after) return;
    if (seen === undefined) this.#first(step, after);
    else if (sent.type === "task-submit") this.#expect(false, step, "a repeated submission changed it");
    else this.#next(step, after, seen);
    this.#history(step, after, seen?.record);
    if (seen) seen.record = after;
  }

  /** Once nothing more comes: every task that was acknowledged is there, in the state it was left in. */
  finish(table: Tasks): void {
    if (![...this.#seen.values()].some(({ over }) => over))
      this.#broken.push("no task came to its end: this run shows nothing");
    for (const [id, { request, record }] of this.#seen) {
      const held = table.tasks.get(id);
      if (held === undefined) this.#broken.push(`the acknowledged task of ${request} is lost`);
      else if (held.events.length !== record.events.length)
        this.#broken.push(`${request}: its history changed unseen`);
    }
  }

  #first(step: Step, after: Task): void {
    const request = requestOf(step.sent);
    const twin = [...this.#seen.values()].find((other) => other.request === request);
    this.#expect(step.sent.type === "task-submit", step, "a task came from nothing");
    this.#expect(twin === undefined, step, "one request made two tasks");
    const goal = after.spec.goal;
    this.#seen.set(after.id, {
      request,
      goal,
      last: { term: 0, index: 0 },
      lease: undefined,
      over: false,
      record: after,
    });
  }

  #next(step: Step, after: Task, seen: Seen): void {
    const { sent } = step;
    this.#expect(!seen.over, step, "it changed after its end");
    this.#expect(after.spec.goal === seen.goal, step, "its goal changed");
    if (sent.type === "task-claim") this.#claimed(step, after, seen);
    if (sent.body["token"] !== undefined) this.#acted(step, seen);
    if (["task-complete", "task-fail", "task-expire", "task-cancel"].includes(sent.type))
      seen.lease = undefined;
    if (["task-complete", "task-cancel"].includes(sent.type) || after.state === "dead-letter")
      seen.over = true;
  }

  #claimed(step: Step, after: Task, seen: Seen): void {
    this.#expect(seen.lease === undefined, step, "two hold it at once");
    const token = after.lease?.token ?? { term: 0, index: 0 };
    this.#expect(isAfter(token, seen.last), step, "its token did not rise");
    this.#expect(after.attempt <= after.spec.attempts, step, "it was started more often than allowed");
    seen.last = token;
    seen.lease = { token, holder: step.sent.from };
  }

  #acted(step: Step, { lease }: Seen): void {
    const { sent } = step;
    const token = sent.body["token"];
    const isCurrent = lease !== undefined && JSON.stringify(token) === JSON.stringify(lease.token);
    this.#expect(isCurrent, step, "a stale token was let through");
    if (sent.type !== "task-expire")
      this.#expect(lease?.holder === sent.from, step, "someone else acted under the lease");
  }

  #history(step: Step, after: Task, before: Task | undefined): void {
    this.#expect(
      after.events.every(({ seq }, i) => seq === i + 1),
      step,
      "its events have a gap",
    );
    const old = before?.events ?? [];
    this.#expect(
      old.every((event, i) => event === after.events[i]),
      step,
      "a past event changed",
    );
    const ends = after.events.filter(({ type }) => type === "task-completed" || type === "task-failed");
    this.#expect(ends.length <= 1, step, "it was finished twice");
  }

  #expect(holds: boolean, { sent, after }: Step, problem: string): void {
    if (!holds) this.#broken.push(`${sent.type} of ${after?.id.slice(0, 8) ?? "no task"}: ${problem}`);
  }
}

function requestOf({ body }: Sent): string {
  return JSON.stringify([body["principal"], body["key"]]);
}

function isAfter(a: Token, b: Token): boolean {
  return a.term > b.term || (a.term === b.term && a.index > b.index);
}
