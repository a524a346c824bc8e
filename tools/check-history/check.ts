import { checkEnds, checkIdentity } from "./checks/acknowledged.ts";
import { checkEffects } from "./checks/effects.ts";
import { checkLives, checkNumbers, checkSame, checkWhole } from "./checks/events.ts";
import { checkMinority } from "./checks/minority.ts";
import { checkEvidence, checkFencing, checkTokens, checkZombies } from "./checks/tokens.ts";
import { checkWatches } from "./checks/watches.ts";
import { History } from "./history.ts";
import type { HistoryRecord } from "./record.ts";

/** Every promise that a history is held to. */
export const CHECKS = {
  "one key is one task": checkIdentity,
  "what is acknowledged ends": checkEnds,
  "events have no gap": checkNumbers,
  "events are the same everywhere": checkSame,
  "everybody has all events": checkWhole,
  "one holder, one end": checkLives,
  "tokens rise": checkTokens,
  "one commit, under the last token": checkFencing,
  "a zombie ends nothing": checkZombies,
  "lost work is kept": checkEvidence,
  "one effect per key": checkEffects,
  "a watch goes on elsewhere": checkWatches,
  "a minority commits nothing": checkMinority,
} as const satisfies Record<string, (history: History) => readonly string[]>;

/** What is wrong, as `promise: sentence`, and how much there was to judge. */
export interface Judgement {
  readonly violations: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
}

export function judge(records: readonly HistoryRecord[]): Judgement {
  const history = new History(records);
  const violations = Object.entries(CHECKS).flatMap(([promise, check]) =>
    check(history).map((text) => `${promise}: ${text}`),
  );
  return { violations, counts: countsOf(history) };
}

function countsOf(history: History): Judgement["counts"] {
  return {
    calls: history.all("call").length,
    acknowledged: history.acknowledged().length,
    pending: history.all("answer").filter(({ status }) => status === "pending").length,
    tasks: history.tasks().size,
    events: history.all("event").length,
    lives: history.all("life").length,
    fenced: history.all("completion").filter(({ answer }) => answer !== "committed").length,
    "effects made": history.all("effect").filter(({ action }) => action === "made").length,
    "effects repeated": history.all("effect").filter(({ action }) => action === "repeated").length,
    frames: history.all("frame").length,
    cuts: history.all("cut").length,
    zombies: history.all("zombie").length,
    losers: history.all("loser").length,
  };
}
