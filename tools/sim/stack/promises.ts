import type { History } from "./history.ts";

/** The promises of the whole stack, by the names under which their violations are reported. */
export const PROMISES = [
  "log matching",
  "what is committed stays",
  "a quorum has what is committed",
  "tokens rise, one holder",
  "one commit per task",
  "no acknowledged task is lost",
  "a cancellation or a commit, not both",
  "events without gap",
  "attempts are bounded",
  "deadlines are kept",
  "dependencies come first",
  "one effect per key",
  "no act without a permit",
  "a receipt is a fact",
  "the same log, the same tasks",
] as const;

/** One of them. */
export type Promised = (typeof PROMISES)[number];

/** Who hears of a broken promise, and knows the order that all peers come to. */
export interface Judge {
  readonly history: History;
  break(promise: Promised, text: string): void;
}
