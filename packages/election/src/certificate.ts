import { encodeCanonical, equalBytes, type PeerId, type Signer, verifySignature } from "@chorus/kernel";
import { hashConfig, quorumOf, sameVoters, voterOf } from "./config.ts";
import type {
  AdminCert,
  ConfigChange,
  ElectionConfig,
  EquivocationProof,
  SignedBallot,
  SignedVote,
} from "./contract.ts";
import { foldsInto, isNext } from "./core/lineage.ts";

const VOTE = "chorus/election-vote/1";
const CHANGE = "chorus/election-config/1";
const TRANSFER = "chorus/election-transfer/1";

/** What a vote says. */
export type Ballot = Omit<AdminCert, "votes">;

/** What an approval says; a founding has nothing before it. */
export interface Succession {
  readonly previous: ElectionConfig | undefined;
  readonly config: ElectionConfig;
}

/** What a leaving admin says. */
export interface Handover {
  readonly config: ElectionConfig;
  readonly term: number;
  readonly successor: PeerId;
}

/** Signs a vote. The caller has it on disk before, or two candidates may each get one in the same term. */
export function signBallot(ballot: Ballot, signer: Signer): Promise<Uint8Array> {
  return signer.sign(VOTE, ballotBytes(ballotOf(ballot)));
}

/** True when the vote is the named voter's, for exactly this ballot. */
export function verifyVote(ballot: Ballot, { voter, signature }: SignedVote): Promise<boolean> {
  return verifySignature({ peer: voter, domain: VOTE, bytes: ballotBytes(ballotOf(ballot)), signature });
}

export function signApproval(succession: Succession, signer: Signer): Promise<Uint8Array> {
  return signer.sign(CHANGE, successionBytes(succession));
}

export function verifyApproval(succession: Succession, { voter, signature }: SignedVote): Promise<boolean> {
  return verifySignature({ peer: voter, domain: CHANGE, bytes: successionBytes(succession), signature });
}

export function signTransfer(handover: Handover, signer: Signer): Promise<Uint8Array> {
  return signer.sign(TRANSFER, handoverBytes(handover));
}

export function verifyTransfer(handover: Handover, { voter, signature }: SignedVote): Promise<boolean> {
  return verifySignature({ peer: voter, domain: TRANSFER, bytes: handoverBytes(handover), signature });
}

/**
 * True when the certificate was voted for by a quorum of its configuration's voters, who all signed this very
 * configuration, term and candidate, and when that configuration is the trusted `config` or follows from it by
 * `changes`. Whether the term is the newest is not in a certificate: keep the highest term seen. Never throws.
 */
export function verifyCertificate(
  certificate: AdminCert,
  config: ElectionConfig,
  changes: readonly ConfigChange[] = [],
): Promise<boolean> {
  return holds(() => isElected(certificate, config, changes));
}

async function isElected(
  certificate: AdminCert,
  config: ElectionConfig,
  changes: readonly ConfigChange[],
): Promise<boolean> {
  let trusted = config;
  for (const change of changes) {
    if (sameVoters(trusted, certificate.config)) break;
    if (!(await verifyChange(change, trusted))) return false;
    trusted = change.config;
  }
  const { candidate, votes } = certificate;
  const fits =
    sameVoters(certificate.config, trusted) &&
    certificate.config.cterm < certificate.term &&
    voterOf(trusted, candidate)?.eligible === true &&
    areVoters(trusted, votes, quorumOf(trusted));
  return fits && areGenuine(votes, (vote) => verifyVote(certificate, vote));
}

/** True when a majority of the voters before approved the change, and it is one that may be made. */
export async function verifyChange(change: ConfigChange, previous: ElectionConfig): Promise<boolean> {
  const { config, approvals } = change;
  const allowed = isNext(previous, config) || foldsInto(previous, config);
  if (!allowed || !areVoters(previous, approvals, quorumOf(previous))) return false;
  return areGenuine(approvals, (approval) => verifyApproval({ previous, config }, approval));
}

/** True when all voters of a first configuration agreed to it. */
export async function verifyFounding({ config, approvals }: ConfigChange): Promise<boolean> {
  if (!areVoters(config, approvals, config.voters.length)) return false;
  return areGenuine(approvals, (approval) => verifyApproval({ previous: undefined, config }, approval));
}

/** The proofs in two sets of votes of one term, for different ballots. */
export function equivocations(a: AdminCert, b: AdminCert): readonly EquivocationProof[] {
  const [one, other] = [ballotOf(a), ballotOf(b)];
  const { cluster, founding, term } = one;
  if (cluster !== other.cluster || founding !== other.founding || term !== other.term) return [];
  if (one.candidate === other.candidate) return [];
  return a.votes.flatMap(({ voter, signature }) => {
    const again = b.votes.find((vote) => vote.voter === voter);
    if (again === undefined) return [];
    const parts = (ballot: typeof one, signed: Uint8Array): SignedBallot => ({
      configVersion: ballot.configVersion,
      config: ballot.config,
      candidate: ballot.candidate,
      signature: signed,
    });
    const [first, second] = [parts(one, signature), parts(other, again.signature)];
    return [{ cluster, founding, term, voter, one: first, other: second }];
  });
}

/** True when the named voter signed two ballots for different candidates in one term. Never throws. */
export function verifyEquivocation(proof: EquivocationProof): Promise<boolean> {
  return holds(() => isEquivocation(proof));
}

async function isEquivocation(proof: EquivocationProof): Promise<boolean> {
  const { cluster, founding, term, voter, one, other } = proof;
  if (one.candidate === other.candidate || equalBytes(one.signature, other.signature)) return false;
  return areGenuine([one, other], ({ signature, ...ballot }) => {
    const bytes = ballotBytes({ cluster, founding, term, ...ballot });
    return verifySignature({ peer: voter, domain: VOTE, bytes, signature });
  });
}

/** What was never parsed can be anything: whatever has no canonical form was signed by nobody. */
async function holds(check: () => Promise<boolean>): Promise<boolean> {
  try {
    return await check();
  } catch {
    return false;
  }
}

function areVoters(config: ElectionConfig, votes: readonly SignedVote[], enough: number): boolean {
  const voters = new Set(votes.map(({ voter }) => voter));
  return (
    voters.size === votes.length &&
    voters.size >= enough &&
    votes.every(({ voter }) => voterOf(config, voter) !== undefined)
  );
}

async function areGenuine<T>(votes: readonly T[], verify: (vote: T) => Promise<boolean>): Promise<boolean> {
  return (await Promise.all(votes.map(verify))).every(Boolean);
}

interface BallotStatement extends Omit<SignedBallot, "signature"> {
  readonly cluster: string;
  readonly founding: string;
  readonly term: number;
}

function ballotOf({ config, term, candidate }: Ballot): BallotStatement {
  const { cluster, founding, version } = config;
  return { cluster, founding, configVersion: version, config: hashConfig(config), term, candidate };
}

function ballotBytes({
  cluster,
  founding,
  configVersion,
  config,
  term,
  candidate,
}: BallotStatement): Uint8Array {
  return encodeCanonical({ cluster, founding, configVersion, config, term, candidate });
}

/** The configuration before is named without the term that confirmed it: not every peer has heard that term. */
function successionBytes({ previous, config }: Succession): Uint8Array {
  return encodeCanonical({
    cluster: config.cluster,
    previous: previous === undefined ? null : hashConfig({ ...previous, cterm: 0 }),
    next: hashConfig(config),
  });
}

function handoverBytes({ config, term, successor }: Handover): Uint8Array {
  const { cluster, founding } = config;
  return encodeCanonical({ cluster, founding, term, successor });
}
