import type { Refusal } from "./core/state.ts";
import { CorruptError, NoLeaderError, ProtocolError } from "./errors.ts";

/** What a refused step means to the caller. */
export function toError(problem: Refusal, applied: number): Error {
  switch (problem) {
    case "the term is behind the log":
    case "a newer term is known":
    case "this peer does not lead":
      return new NoLeaderError(problem);
    case "committed entries differ":
      return new CorruptError("the admin's log does not contain what is committed here", applied);
    case "this peer does not follow that leader":
    case "an entry does not continue the log":
    case "the snapshot is behind the log":
      return new ProtocolError(problem);
  }
}
