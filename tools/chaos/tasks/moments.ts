/**
 * Where a peer's work can be stopped, as `message:phase`: before a message leaves (`asked`), between its leaving and its
 * answer (`under-way`), and with the answer in hand, before anybody in the peer has seen it (`answered`).
 */
export const MESSAGES = [
  "task-submit",
  "task-claim",
  "task-renew",
  "task-progress",
  "task-complete",
  "task-fail",
  "task-expire",
  "effect-intent",
  "effect-receipt",
  "hand-over",
] as const;
export const PHASES = ["asked", "under-way", "answered"] as const;

/** A point in a peer's work; those that are no message: a run begins or has ended, an effect is about to be made or was. */
export type Moment =
  | `${(typeof MESSAGES)[number]}:${(typeof PHASES)[number]}`
  | "run:started"
  | "run:finished"
  | "effect:permitted"
  | "effect:made";

/** What the harness tells a peer: wait at the first such moment; go on; forget what you were told. */
export type Order =
  | { readonly order: "arm"; readonly id: number; readonly moment: Moment; readonly task?: string }
  | { readonly order: "release" };

/** What a peer tells the harness: it is up; it waits at a moment. */
export type Report =
  | { readonly report: "up"; readonly peer: string; readonly host: string }
  | {
      readonly report: "hit";
      readonly id: number;
      readonly moment: Moment;
      readonly task: string | undefined;
    };
