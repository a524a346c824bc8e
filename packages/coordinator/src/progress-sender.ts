import { canonicalText } from "./canonical-of.ts";
import type { Progress } from "./contract-task.ts";
import type { LeasedTask } from "./run-task.ts";
import type { Peer } from "./peer.ts";

const MAX_WAITING = 16;

/**
 * Brings a run's steps into the ledger, one at a time: the ledger's own pace is the rate limit. A run that tells
 * more loses its oldest waiting steps; its output has everything.
 */
export class ProgressSender {
  readonly #peer: Peer;
  readonly #task: LeasedTask;
  readonly #signal: AbortSignal;
  readonly #waiting: Progress[] = [];
  #sending: Promise<void> | undefined;

  constructor(peer: Peer, task: LeasedTask, signal: AbortSignal) {
    this.#peer = peer;
    this.#task = task;
    this.#signal = signal;
  }

  push(step: Progress): void {
    this.#waiting.push(this.#cleaned(step));
    if (this.#waiting.length > MAX_WAITING) this.#waiting.shift();
    this.#sending ??= this.#send().finally(() => (this.#sending = undefined));
  }

  /** Resolves when nothing waits any more. */
  async flush(): Promise<void> {
    await this.#sending;
  }

  async #send(): Promise<void> {
    const { id: task, lease } = this.#task;
    for (let step = this.#waiting.shift(); step !== undefined; step = this.#waiting.shift())
      try {
        const command = { type: "task-progress", task, token: lease.token, step } as const;
        const { result } = await this.#peer.proposer.once(command, this.#signal);
        if (result.status === "refused") return;
      } catch (error) {
        // Steps are news: without a leader they are old before they could be ordered.
        this.#waiting.length = 0;
        if (this.#signal.aborted) return;
        this.#peer.components.logger.debug("progress was not ordered", { task, error });
      }
  }

  /** Redacted before it is cut: half a secret is not recognised any more. */
  #cleaned(step: Progress): Progress {
    const { value } = this.#peer.components.redactor.redactValue(step);
    return {
      phase: canonicalText(value.phase, 64),
      message: canonicalText(value.message, 512),
      ...(isCount(value.step) ? { step: value.step } : {}),
      ...(isCount(value.steps) ? { steps: value.steps } : {}),
    };
  }
}

function isCount(value: number | undefined): value is number {
  return value !== undefined && Number.isSafeInteger(value) && value >= 0;
}
