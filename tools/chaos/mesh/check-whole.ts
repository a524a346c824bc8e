import { labelsOf } from "./check-leases.ts";
import type { History, Moment, PeerRecord } from "./history.ts";
import { FLIGHT_MS } from "./timing.ts";

/** Since when the mesh is whole, or what is missing. */
export interface Whole {
  readonly since?: Moment;
  readonly problem?: string;
}

/**
 * The earliest moment from which on every peer was connected with every other, and from which on all that was said
 * reached all; messages of the last moment before `until` may still be on their way and are left out.
 */
export function wholeSince(peers: History["peers"], from: Moment, until: Moment): Whole {
  const labels = labelsOf(peers);
  let since = from;
  for (const [peer, records] of peers) {
    const full = fullSince(records, labels, until);
    if (full.missing !== undefined) return { problem: `peer ${peer} is not connected with ${full.missing}` };
    since = Math.max(since, full.since);
  }
  const said = messages(peers, labels, { from, until });
  const lost = said.filter(({ missing }) => missing.length > 0);
  const last = lost.reduce((latest, { at }) => Math.max(latest, at), -Infinity);
  for (const peer of peers.keys()) {
    const first = said.find((message) => message.peer === peer && message.at > last && message.at >= since);
    if (first !== undefined) continue;
    const [example] = lost.filter(({ at }) => at === last);
    return {
      problem: example
        ? `what peer ${example.peer} said did not reach ${example.missing.join(" ")}`
        : `nothing was said by peer ${peer}`,
    };
  }
  return { since: Math.max(since, said.find(({ at }) => at > last)?.at ?? since) };
}

function fullSince(
  records: readonly PeerRecord[],
  labels: ReadonlyMap<string, string>,
  until: Moment,
): { readonly since: Moment; readonly missing?: string } {
  const own = records.find((record) => record.kind === "life")?.peer;
  const others = [...labels.keys()].filter((peer) => peer !== own);
  let since: Moment = -Infinity;
  let absent: readonly string[] = others;
  for (const record of records) {
    if (record.kind !== "life" && record.kind !== "connected") continue;
    if (record.at > until) break;
    const now = record.kind === "life" ? others : others.filter((peer) => !record.peers.includes(peer));
    if (now.length === 0 && absent.length > 0) since = record.at;
    absent = now;
  }
  if (absent.length === 0) return { since };
  return { since, missing: absent.map((peer) => labels.get(peer)).join(" ") };
}

interface Message {
  readonly peer: string;
  readonly at: Moment;
  /** Peers that did not hear it. */
  readonly missing: readonly string[];
}

/** What was said, in the order of time. */
function messages(
  peers: History["peers"],
  labels: ReadonlyMap<string, string>,
  { from, until }: { readonly from: Moment; readonly until: Moment },
): readonly Message[] {
  const heard = new Set<string>();
  for (const [peer, records] of peers)
    for (const record of records)
      if (record.kind === "heard" && record.at >= from && record.at <= until)
        heard.add(`${labels.get(record.from)} ${record.number} ${peer}`);
  return [...peers]
    .flatMap(([peer, records]) =>
      records.flatMap((record) =>
        record.kind === "said" && record.at >= from && record.at <= until - FLIGHT_MS
          ? [
              {
                peer,
                at: record.at,
                missing: [...peers.keys()].filter(
                  (other) => other !== peer && !heard.has(`${peer} ${record.number} ${other}`),
                ),
              },
            ]
          : [],
      ),
    )
    .toSorted((a, b) => a.at - b.at);
}
