import { equalBytes } from "@chorus/kernel";
import type { Judge } from "./promises.ts";
import { isTerminal, specBytesOf, taskIdOf } from "./task-core.ts";

/** What somebody asks for. */
export interface Request {
  readonly number: number;
  readonly principal: string;
  readonly key: string;
  readonly spec: { readonly [member: string]: unknown };
  readonly id: string;
  readonly specBytes: Uint8Array;
  /** Leaves it at the first answer, even where that is `pending`. */
  readonly isContent: boolean;
  /** Asked no more. */
  over: boolean;
}

export type AckStatus = "committed" | "pending" | "conflict" | "refused";

/** What was asked for, and what those who asked were told. */
export class ClientBook {
  readonly requests: Request[] = [];
  readonly #judge: Judge;
  /** Tasks that somebody was promised. */
  readonly #acknowledged = new Set<string>();
  readonly #canceled = new Set<string>();

  constructor(judge: Judge) {
    this.#judge = judge;
  }

  open(draft: Pick<Request, "principal" | "key" | "spec" | "isContent">): Request {
    const { principal, key, spec } = draft;
    const id = taskIdOf(principal, key);
    const request = { ...draft, number: this.requests.length, id, specBytes: bytesOf(spec), over: false };
    this.requests.push(request);
    return request;
  }

  /** An answer reached whoever asked. */
  acked(request: Request, status: AckStatus): void {
    const { id, specBytes, key } = request;
    if (status === "committed" || status === "pending") this.#acknowledged.add(id);
    if (status !== "committed") return;
    const held = this.#judge.history.tasks.get(id);
    if (held === undefined)
      this.#judge.break("no acknowledged task is lost", `${key}: committed was answered, and nobody has it`);
    else if (!equalBytes(held.specBytes, specBytes))
      this.#judge.break("one commit per task", `${key}: committed was answered for another task of this key`);
  }

  canceled(id: string, state: string): void {
    if (state !== "canceled") return;
    this.#canceled.add(id);
    this.#checkCanceled(id);
  }

  /** What was acknowledged has come to its end. */
  allEnded(): boolean {
    const { tasks } = this.#judge.history;
    return [...this.#acknowledged].every((id) => {
      const task = tasks.get(id);
      return task !== undefined && isTerminal(task.state);
    });
  }

  /** For the trace: what is still open. */
  openOnes(): string {
    const { tasks } = this.#judge.history;
    return [...this.#acknowledged]
      .map((id) => `${id.slice(0, 6)} ${tasks.get(id)?.state ?? "nowhere"}`)
      .filter((text) => !/completed|failed|canceled|dead-letter|rejected|expired/.test(text))
      .join(", ");
  }

  end(): void {
    for (const id of this.#acknowledged)
      if (!this.#judge.history.tasks.has(id))
        this.#judge.break(
          "no acknowledged task is lost",
          `${id.slice(0, 6)} was acknowledged, and nobody has it`,
        );
    for (const id of this.#canceled) this.#checkCanceled(id);
  }

  #checkCanceled(id: string): void {
    const state = this.#judge.history.tasks.get(id)?.state;
    if (state !== "canceled")
      this.#judge.break(
        "a cancellation or a commit, not both",
        `${id.slice(0, 6)}: its cancellation was confirmed, and it is ${state ?? "nowhere"}`,
      );
  }
}

const bytes = new Map<string, Uint8Array>();

function bytesOf(spec: Request["spec"]): Uint8Array {
  const text = JSON.stringify(spec);
  const known = bytes.get(text) ?? specBytesOf(spec);
  bytes.set(text, known);
  return known;
}
