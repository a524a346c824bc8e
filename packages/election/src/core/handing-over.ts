import type { PeerId } from "@chorus/kernel";
import { voterOf } from "../config.ts";
import type { TransferProof } from "../wire.ts";
import { broadcast, type Draft, rank, set, stepDown } from "./draft.ts";
import { release } from "./promises.ts";
import type { State } from "./state.ts";
import { standAtOnce } from "./voting.ts";

/** The admin stops, says so, and names the voter that may stand at once. */
export function onHandOver(draft: Draft): void {
  const { state, now } = draft;
  const { role, term, config } = state;
  if (role !== "admin" || config === undefined) return;
  const successor = successorOf(state, now);
  stepDown(draft, "hand-over");
  set(draft, { deadline: now + 2 * state.timing.timeout, resigned: term });
  if (successor !== undefined) draft.effects.push({ kind: "transfer", to: successor, term, config });
  broadcast(draft, { kind: "resign", term, ...(successor === undefined ? {} : { successor }) });
}

/** Of the voters that answered just now and have the configuration, the one that the order of candidacies prefers. */
function successorOf({ self, config, acked, peers, timing }: State, now: number): PeerId | undefined {
  const ready = (config?.voters ?? []).filter(({ peer, eligible }) => {
    const ack = acked[peer];
    const current = ack !== undefined && ack.version === config?.version && now - ack.at <= 2 * timing.beat;
    return peer !== self && eligible && current;
  });
  const order = ready.toSorted(
    (a, b) =>
      b.priority - a.priority ||
      (peers[b.peer]?.uptimeMs ?? 0) - (peers[a.peer]?.uptimeMs ?? 0) ||
      (a.peer < b.peer ? -1 : 1),
  );
  return order[0]?.peer;
}

export function onResign(
  draft: Draft,
  from: PeerId,
  { term, successor }: { readonly term: number; readonly successor?: PeerId },
): void {
  if (!release(draft, from, term) || draft.state.role === "observer") return;
  const { state, now } = draft;
  const { timeout } = state.timing;
  // The others stand back for the one that was named, and do not wait for it for ever.
  const head = successor === undefined ? 0 : timeout / 4;
  if (successor !== state.self) set(draft, { deadline: now + head + rank(draft) * (timeout / 20) });
}

export function onTransfer(draft: Draft, from: PeerId, transfer: TransferProof): void {
  const { role, term, config, self } = draft.state;
  if (role === "observer" || role === "candidate" || term !== transfer.term) return;
  if (voterOf(config, self) === undefined || !release(draft, from, transfer.term)) return;
  set(draft, { transfer });
  standAtOnce(draft);
}
