import { checkLeases } from "./check-leases.ts";
import { checkVotes } from "./check-votes.ts";
import { wholeSince } from "./check-whole.ts";
import type { History, Moment, RunnerRecord } from "./history.ts";
import { starved } from "./starvation.ts";

/** What a history proves. */
export interface Verdict {
  readonly violations: readonly string[];
  readonly figures: readonly Figure[];
}

/** How long it took. */
export interface Figure {
  readonly what: "failover" | "heal";
  readonly fault: string;
  readonly ms: number;
  /** Time in it during which the machine kept a peer from running. */
  readonly starvedMs: number;
}

type Quorum = RunnerRecord & { readonly kind: "quorum" };
type Healed = RunnerRecord & { readonly kind: "healed" };

/**
 * Reads a recorded history: one admin per term, no two valid leases at once, terms that only rise, votes that are
 * kept, an admin within the bound, and a mesh that is whole again. Pure: knows nothing but the records.
 */
export function check(history: History): Verdict {
  const violations = [...checkLeases(history), ...checkVotes(history)];
  const figures: Figure[] = [];
  for (const record of history.runner) {
    const { found, figure } = checkRecord(record, history);
    if (found !== undefined) violations.push(found);
    if (figure !== undefined) figures.push(figure);
  }
  return { violations, figures };
}

interface Found {
  readonly found?: string;
  readonly figure?: Figure;
}

function checkRecord(record: RunnerRecord, history: History): Found {
  if (record.kind === "quorum") return checkQuorum(record, history);
  if (record.kind === "healed") return checkHealed(record, history);
  if (record.kind === "died") return { found: `peer ${record.peer} ended by itself: ${record.code}` };
  return {};
}

/** A majority that can talk and may run is never without an admin of its own for longer than the bound. */
function checkQuorum({ fault, members, from, to, boundMs, orphaned }: Quorum, history: History): Found {
  const leases = members
    .flatMap((member) => history.peers.get(member) ?? [])
    .filter((record) => record.kind === "lease")
    .filter((lease) => lease.to >= from && lease.from <= to)
    .toSorted((a, b) => a.from - b.from);
  let since = from;
  let longest = { from, ms: 0 };
  for (const moment of [...leases.map((lease) => lease.from), to]) {
    if (moment - since > longest.ms) {
      const ms = moment - since - starved(history.peers, members, { from: since, to: moment });
      if (ms > longest.ms) longest = { from: since, ms };
    }
    since = Math.max(since, moment);
  }
  const first = orphaned ? leases[0]?.from : undefined;
  return {
    ...(longest.ms > boundMs
      ? {
          found:
            `${fault}: ${text(longest.ms)} s without an admin among ${members.join(" ")}, ` +
            `the bound is ${text(boundMs)} s (from ${text(longest.from - from)} s after the fault on)`,
        }
      : {}),
    ...(first === undefined
      ? {}
      : {
          figure: {
            what: "failover",
            fault,
            ms: first - from,
            starvedMs: starved(history.peers, members, { from, to: first }),
          },
        }),
  };
}

function checkHealed({ fault, healedAt, until, boundMs }: Healed, history: History): Found {
  const { since, problem } = wholeSince(history.peers, healedAt, until);
  if (since === undefined)
    return {
      found: `${fault}: the mesh is not whole ${text(until - healedAt)} s after the heal: ${problem}`,
    };
  const ms = since - healedAt;
  const everyone = [...history.peers.keys()];
  const starvedMs = starved(history.peers, everyone, { from: healedAt, to: since });
  return {
    ...(ms - starvedMs > boundMs
      ? {
          found: `${fault}: the mesh was whole ${text(ms)} s after the heal, the bound is ${text(boundMs)} s`,
        }
      : {}),
    figure: { what: "heal", fault, ms, starvedMs },
  };
}

function text(ms: Moment): string {
  return (ms / 1000).toFixed(2);
}
