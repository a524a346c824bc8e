import type { History, Moment } from "./history.ts";

/**
 * For how long the machine kept one or other of these peers from running: they were late, and not because they were
 * busy. Bounds hold for processes that may run, so this time does not count; time that a peer spends on work of its
 * own does.
 */
export function starved(
  peers: History["peers"],
  members: readonly string[],
  { from, to }: { readonly from: Moment; readonly to: Moment },
): number {
  const late = members
    .flatMap((member) => peers.get(member) ?? [])
    .filter((record) => record.kind === "late")
    .map((record) => ({ from: Math.max(record.from, from), to: Math.min(record.to - record.busyMs, to) }))
    .filter((span) => span.from < span.to)
    .toSorted((a, b) => a.from - b.from);
  let total = 0;
  let end = from;
  for (const span of late) {
    total += Math.max(0, span.to - Math.max(span.from, end));
    end = Math.max(end, span.to);
  }
  return total;
}
