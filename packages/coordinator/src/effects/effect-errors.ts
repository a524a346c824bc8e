import { ChorusError } from "@chorus/kernel";

/** An effect could not be made in this attempt; another one looks first whether it was. */
export class EffectFailedError extends ChorusError {
  readonly code = "coordinator/effect-failed";
  constructor(slot: string, problem: string) {
    super(`the effect ${slot} was not made: ${problem}`, { retryable: true, detail: { slot } });
  }
}

/** Nobody can tell whether an effect happened; the task waits for a person's word. */
export class EffectUncertainError extends ChorusError {
  readonly code = "coordinator/effect-uncertain";
  constructor(slot: string) {
    super(`nobody can tell whether the effect ${slot} happened`, { detail: { slot } });
  }
}

/** The task has no effect of this key, as far as this peer knows. */
export class UnknownEffectError extends ChorusError {
  readonly code = "coordinator/unknown-effect";
  constructor(taskId: string) {
    super("the task has no such effect here", { detail: { taskId } });
  }
}
