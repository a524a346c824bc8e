import { labelsOf } from "./check-leases.ts";
import type { Certificate, History, PeerRecord, Vote } from "./history.ts";

/** What a peer said is what its disk keeps, in every life; certificates hold a quorum of votes that were kept. */
export function checkVotes({ peers }: History): readonly string[] {
  const violations: string[] = [];
  const ballots = new Set<string>();
  const certificates = new Map<string, Certificate>();
  for (const [peer, records] of peers) {
    violations.push(...checkPeer(peer, records));
    for (const record of records)
      if (record.kind === "saved") ballots.add(`${record.term} ${peer} ${record.votedFor}`);
      else if (record.kind === "admin" && record.certificate !== undefined)
        certificates.set(JSON.stringify(record.certificate), record.certificate);
  }
  const labels = labelsOf(peers);
  for (const certificate of certificates.values())
    violations.push(...checkCertificate(certificate, { labels, ballots }));
  return violations;
}

/** What a peer's records say up to one of them. */
interface Reading {
  kept: Vote | undefined;
  /** On its way to the disk: after a kill it is there or not. */
  pending: Vote | undefined;
  /** Highest term of an admin it followed or was. */
  seen: number;
}

function checkPeer(peer: string, records: readonly PeerRecord[]): readonly string[] {
  const reading: Reading = { kept: undefined, pending: undefined, seen: 0 };
  return records.flatMap((record) => {
    const problem = readOne(reading, record);
    return problem === undefined ? [] : [`peer ${peer} ${problem}`];
  });
}

function readOne(reading: Reading, record: PeerRecord): string | undefined {
  if (record.kind === "loaded") return onLoaded(reading, record);
  if (record.kind === "saved") return onSaved(reading, record);
  if (record.kind === "saving") reading.pending = record;
  else if (record.kind === "lease") return onTerm(reading, record.term);
  else if (record.kind === "admin" && record.certificate !== undefined)
    return onTerm(reading, record.certificate.term);
  return undefined;
}

function onLoaded(reading: Reading, loaded: Vote): string | undefined {
  const { kept, pending } = reading;
  const expected = [kept ?? { term: 0 }, ...(pending === undefined ? [] : [pending])];
  reading.kept = loaded;
  reading.pending = undefined;
  if (expected.some((vote) => same(vote, loaded))) return undefined;
  return `found ${written(loaded)} on its disk, where it had kept ${expected.map(written).join(" or ")}`;
}

function onSaved(reading: Reading, saved: Vote): string | undefined {
  const { kept } = reading;
  reading.kept = saved;
  reading.pending = undefined;
  if (kept === undefined) return undefined;
  if (saved.term < kept.term) return `went back from term ${kept.term} to ${saved.term}`;
  const again = saved.term === kept.term && kept.votedFor !== undefined && saved.votedFor !== kept.votedFor;
  return again ? `voted twice: ${written(kept)}, then ${written(saved)}` : undefined;
}

function onTerm(reading: Reading, term: number): string | undefined {
  const { seen } = reading;
  reading.seen = term;
  return term < seen ? `followed term ${term} after term ${seen}` : undefined;
}

function checkCertificate(
  { term, candidate, voters, votes }: Certificate,
  known: { readonly labels: ReadonlyMap<string, string>; readonly ballots: ReadonlySet<string> },
): readonly string[] {
  const name = (peer: string): string => known.labels.get(peer) ?? peer;
  const counted = new Set(votes.filter((vote) => voters.includes(vote)));
  const violations = [...counted]
    .filter((voter) => !known.ballots.has(`${term} ${name(voter)} ${candidate}`))
    .map((voter) => `term ${term} counts a vote of peer ${name(voter)} that it has not kept`);
  if (counted.size <= voters.length / 2)
    violations.push(`term ${term} has ${counted.size} votes of ${voters.length}, which is no quorum`);
  return violations;
}

function same(a: Vote, b: Vote): boolean {
  return a.term === b.term && a.votedFor === b.votedFor;
}

function written({ term, votedFor }: Vote): string {
  return `term ${term} with ${votedFor === undefined ? "no vote" : `a vote for ${votedFor.slice(-6)}`}`;
}
