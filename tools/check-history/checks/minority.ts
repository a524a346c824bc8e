import type { History } from "../history.ts";
import type { Answer, Call, Cut } from "../record.ts";

/** Cut off from the majority, a peer says `pending` and orders nothing. */
export function checkMinority(history: History): readonly string[] {
  return history.all("cut").flatMap((cut) => [...answers(history, cut), ...events(history, cut)]);
}

function answers(history: History, cut: Cut): readonly string[] {
  const known = new Set(history.all("call").flatMap((call) => (call.at < cut.from ? [call.key] : [])));
  const within = history.answered().filter((one) => isWithin(one, cut) && !known.has(one.call.key));
  return within.flatMap(({ call, answer }) =>
    cut.minority.includes(call.peer) && answer.status === "committed"
      ? [`peer ${call.peer} said committed to ${call.key} while it was cut off with the minority`]
      : [],
  );
}

function isWithin(
  { call, answer }: { readonly call: Call; readonly answer: Answer },
  { from, to }: Cut,
): boolean {
  return call.at >= from && answer.at <= to;
}

/** What a peer of the minority sees in this time was ordered before it, or by nobody. */
function events(history: History, cut: Cut): readonly string[] {
  const fresh = new Set(
    history
      .acknowledged()
      .flatMap(({ call, task }) => (call.at >= cut.from && call.at < cut.to ? [task] : [])),
  );
  const calledBefore = new Set(
    history.acknowledged().flatMap(({ call, task }) => (call.at < cut.from ? [task] : [])),
  );
  return history
    .all("event")
    .filter(({ peer, at, event }) => {
      const isNew = fresh.has(event.taskId) && !calledBefore.has(event.taskId);
      return isNew && cut.minority.includes(peer) && at >= cut.from && at < cut.to;
    })
    .map(
      ({ peer, event }) =>
        `peer ${peer} of the minority applied ${event.type} of a task that came in during the cut`,
    );
}
