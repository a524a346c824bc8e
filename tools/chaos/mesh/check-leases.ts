import type { History, Moment } from "./history.ts";

/** All that is known of one term. */
interface Term {
  readonly term: number;
  /** Peers that acted or were certified as its admin. */
  readonly admins: Set<string>;
  /** End of the first answer with yes: by then the lease had been held. */
  firstEnd: Moment;
  /** Beginning of the last answer with yes: the lease was held at this moment or later. */
  lastStart: Moment;
}

/**
 * One admin per term, and leases that follow each other in the order of their terms.
 *
 * An answer with yes in `[from, to]` proves that its peer held the lease at some moment of this interval, and no more
 * than that, since the process may have been stopped on either side of it. So an overlap counts only where no choice
 * of moments avoids it: the lease of a term was held *after* (answer begun later than) the lease of a higher term had
 * been held (answer ended before). With disjoint leases in the order of terms, this never happens; with two leases
 * at once it happens as soon as the older admin asks itself again, some milliseconds later. Intervals that merely touch
 * or contain each other prove nothing. Answers of one term by two peers are a violation whatever their times.
 */
export function checkLeases(history: History): readonly string[] {
  const terms = [...collect(history).values()].toSorted((a, b) => a.term - b.term);
  const violations = terms
    .filter(({ admins }) => admins.size > 1)
    .map(({ term, admins }) => `term ${term} has the admins ${[...admins].toSorted().join(" and ")}`);
  for (const [i, older] of terms.entries()) {
    const newer = terms.slice(i + 1).find(({ firstEnd }) => firstEnd < older.lastStart);
    if (newer === undefined) continue;
    const late = ((older.lastStart - newer.firstEnd) / 1000).toFixed(3);
    const both = older.lastStart < newer.lastStart;
    violations.push(
      both
        ? `two valid leases at once: ${names(older)} of term ${older.term} still had its own ${late} s after ` +
            `${names(newer)} of term ${newer.term} had begun, which went on`
        : `terms fell: ${names(older)} acted in term ${older.term} ${late} s after ${names(newer)} had in term ${newer.term}`,
    );
  }
  return violations;
}

function collect({ peers }: History): Map<number, Term> {
  const labels = labelsOf(peers);
  const terms = new Map<number, Term>();
  const at = (term: number): Term => {
    const known = terms.get(term) ?? { term, admins: new Set(), firstEnd: Infinity, lastStart: -Infinity };
    terms.set(term, known);
    return known;
  };
  for (const [peer, records] of peers)
    for (const record of records)
      if (record.kind === "lease") {
        const term = at(record.term);
        term.admins.add(peer);
        term.firstEnd = Math.min(term.firstEnd, record.to);
        term.lastStart = Math.max(term.lastStart, record.from);
      } else if (record.kind === "admin" && record.certificate !== undefined) {
        const { term, candidate } = record.certificate;
        at(term).admins.add(labels.get(candidate) ?? candidate);
      }
  return terms;
}

function names({ admins }: Term): string {
  return [...admins].toSorted().join(" and ");
}

/** From the names that peers have in the mesh to their numbers here. */
export function labelsOf(peers: History["peers"]): ReadonlyMap<string, string> {
  return new Map(
    [...peers].flatMap(([label, records]) =>
      records.flatMap((record) => (record.kind === "life" ? [[record.peer, label] as const] : [])),
    ),
  );
}
