import { ChorusError } from "@chorus/kernel";

/** What can be wrong; `EventLogError.code` is `event-log/` and one of these. */
export type EventLogFault = "locked" | "corrupt" | "behind" | "forked" | "disk" | "closed" | "bad-checkpoint";

/** A log that cannot do what it was asked; `code` says why, and the README which codes are worth a retry. */
export class EventLogError extends ChorusError {
  readonly code: `event-log/${EventLogFault}`;

  constructor(
    fault: EventLogFault,
    options: { detail?: Readonly<Record<string, unknown>>; cause?: unknown } = {},
  ) {
    super(explanations[fault], { ...options, retryable: fault === "locked" || fault === "disk" });
    this.code = `event-log/${fault}`;
  }
}

const explanations: Record<EventLogFault, string> = {
  locked: "another process has the event log open",
  corrupt: "the event log is damaged; it is read-only, and nothing was dropped or rewritten",
  behind: "the event log has fewer entries than it once promised; it is read-only until they are back",
  forked: "the event log contradicts a checkpoint that it signed; it is read-only",
  disk: "the event log could not be written; nothing was appended",
  closed: "the event log is closed",
  "bad-checkpoint": "this is not a checkpoint signed by this log",
};
