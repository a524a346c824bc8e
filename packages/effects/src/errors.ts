import { ChorusError } from "@chorus/kernel";

/** An effect or a rule that does not have the promised shape. `detail.field` names what is wrong. */
export class InvalidEffectError extends ChorusError {
  readonly code = "effects/invalid-effect";
  readonly notDone = true;
  constructor(field: string, problem: string) {
    super(`${field} ${problem}`, { detail: { field, problem } });
  }
}

/** No rule of this agent allows the target; nothing was touched. */
export class TargetNotAllowedError extends ChorusError {
  readonly code = "effects/target-not-allowed";
  readonly notDone = true;
  constructor(field: string, problem: string) {
    super(`${field} ${problem}`, { detail: { field, problem } });
  }
}

/** The target said no, and did nothing. */
export class RefusedByTargetError extends ChorusError {
  readonly code = "effects/refused";
  readonly notDone = true;
  constructor(problem: string, detail: Readonly<Record<string, unknown>> = {}) {
    super(`the target refused: ${problem}`, { detail: { problem, ...detail } });
  }
}

/** The target did not answer as it should, or not at all: the effect may have happened. */
export class UnansweredError extends ChorusError {
  readonly code = "effects/unanswered";
  constructor(problem: string, cause?: unknown) {
    super(`the target gave no clear answer: ${problem}`, { retryable: true, detail: { problem }, cause });
  }
}
