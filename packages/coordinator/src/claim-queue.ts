import type { TaskId } from "./contract-task.ts";

/** A task that this peer may claim. */
export interface Candidate {
  readonly id: TaskId;
  /** 0 to 9. */
  readonly priority: number;
  /** Not claimed before this moment of the monotonic clock. */
  readonly dueAt: number;
}

interface Queued extends Candidate {
  gone: boolean;
}

const PRIORITIES = 10;

/**
 * The order in which one peer claims: the highest priority first, where waiting counts as priority, so that nothing
 * waits for ever. Age is measured by this peer alone; no clock is compared with another.
 */
export class ClaimQueue {
  readonly #ageMs: number;
  readonly #known = new Map<TaskId, Queued>();
  /** Not due yet, soonest first. */
  readonly #waiting: Queued[] = [];
  /** Due, one line for each priority, each in the order in which they came due. */
  readonly #lines: readonly Line[] = Array.from({ length: PRIORITIES }, () => new Line());

  /** @param options.ageMs waiting that counts as one step of priority */
  constructor(options: { readonly ageMs: number }) {
    this.#ageMs = options.ageMs;
  }

  has(id: TaskId): boolean {
    return this.#known.has(id);
  }

  /** Queues a task, anew if it is queued. */
  add(candidate: Candidate): void {
    this.remove(candidate.id);
    const queued = { ...candidate, gone: false };
    this.#known.set(candidate.id, queued);
    this.#waiting.splice(placeOf(this.#waiting, candidate.dueAt), 0, queued);
  }

  remove(id: TaskId): void {
    const queued = this.#known.get(id);
    if (queued === undefined) return;
    queued.gone = true;
    this.#known.delete(id);
  }

  /** Takes the task that is to be claimed next, if one is due. */
  next(now: number): TaskId | undefined {
    this.#promote(now);
    let best: Queued | undefined;
    for (const line of this.#lines) {
      const first = line.first();
      // Of two that weigh the same the one with the higher priority came later and goes first.
      if (first !== undefined && (best === undefined || this.#weight(first, now) >= this.#weight(best, now)))
        best = first;
    }
    if (best !== undefined) this.remove(best.id);
    return best?.id;
  }

  /** When the next task comes due, if none is due now. */
  nextDueAt(): number | undefined {
    while (this.#waiting[0]?.gone === true) this.#waiting.shift();
    return this.#waiting[0]?.dueAt;
  }

  #promote(now: number): void {
    let count = 0;
    for (const queued of this.#waiting) {
      if (queued.dueAt > now) break;
      count++;
      if (!queued.gone) this.#lines[queued.priority]?.push(queued);
    }
    this.#waiting.splice(0, count);
  }

  #weight({ priority, dueAt }: Queued, now: number): number {
    return priority + Math.floor((now - dueAt) / this.#ageMs);
  }
}

/** First in, first out; what has gone meanwhile is passed over. */
class Line {
  #queued: Queued[] = [];
  #head = 0;

  push(queued: Queued): void {
    this.#queued.push(queued);
  }

  first(): Queued | undefined {
    while (this.#queued[this.#head]?.gone === true) this.#head++;
    // Now and then what was passed over is let go.
    if (this.#head > 1024 && this.#head * 2 > this.#queued.length) {
      this.#queued = this.#queued.slice(this.#head);
      this.#head = 0;
    }
    return this.#queued[this.#head];
  }
}

/** After everything that is due no later, by bisection: most tasks come due after all that are queued. */
function placeOf(waiting: readonly Queued[], dueAt: number): number {
  let low = 0;
  let high = waiting.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((waiting[middle]?.dueAt ?? 0) <= dueAt) low = middle + 1;
    else high = middle;
  }
  return low;
}
