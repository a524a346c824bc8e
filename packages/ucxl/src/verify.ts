import { type Cid, errorCode } from "@chorus/kernel";
import { parseAddress } from "./address.ts";
import type {
  Address,
  Decision,
  Expectations,
  SignedDecision,
  Time,
  VerificationFault,
  VerifiedDecision,
  VerifiedHistory,
} from "./contract.ts";
import { addressesOf, decodeDecision, laneOf } from "./decision.ts";
import { findForgery, parseSigned } from "./dsse.ts";
import { VerificationError } from "./errors.ts";

/**
 * Checks a signed decision from anywhere, offline: shape, canonical bytes, every rule of the record, every
 * signature, the author among the signers, and whatever the caller expects of it.
 * @param signed a {@link SignedDecision} that nobody has checked yet
 * @throws an error with code `ucxl/verification-failed`, `detail.reason` saying which check failed; UcxlError
 *   when `expected.address` is not canonical
 */
export async function verifyDecision(
  signed: unknown,
  expected: Expectations = {},
): Promise<VerifiedDecision> {
  const envelope = readEnvelope(signed);
  const verified = await readRecord(envelope);
  await checkSignatures(envelope, verified);
  checkExpectations(verified, expected);
  if (expected.previous === null && verified.decision.seq !== 1)
    throw new VerificationError("chain", "it is not the first of its lane");
  if (expected.previous) checkSuccessor(expected.previous, verified);
  return verified;
}

/**
 * Checks signed decisions of one lane together, in any order: each by itself, and that they form one chain.
 * Copies of the same record count once.
 * @throws as {@link verifyDecision}; reason `chain` for a gap or a second lane, `equivocation` when the author
 *   signed two different records for one position (`detail.cids` holds both)
 */
export async function verifyHistory(
  signed: Iterable<unknown>,
  expected: Pick<Expectations, "cluster"> = {},
): Promise<VerifiedHistory> {
  const byCid = new Map<string, VerifiedDecision>();
  for (const item of signed) {
    const verified = await verifyDecision(item, expected);
    byCid.set(verified.cid, verified);
  }
  const records = [...byCid.values()].toSorted((a, b) => a.decision.seq - b.decision.seq);
  const [first] = records;
  if (first === undefined) throw new VerificationError("chain", "there is no record");
  let previous: VerifiedDecision | undefined;
  for (const record of records) {
    if (previous !== undefined) checkSuccessor(previous, record);
    previous = record;
  }
  return { lane: first.lane, records, complete: first.decision.seq === 1 };
}

function readEnvelope(signed: unknown): SignedDecision {
  try {
    return parseSigned(signed);
  } catch (cause) {
    throw refused("envelope", cause);
  }
}

async function readRecord({ payload, signatures }: SignedDecision): Promise<VerifiedDecision> {
  try {
    const decision = decodeDecision(payload);
    const encoded = await addressesOf(decision, payload);
    return { ...encoded, decision, lane: laneOf(decision), signers: signatures.map(({ keyid }) => keyid) };
  } catch (cause) {
    throw refused("record", cause);
  }
}

function refused(reason: VerificationFault, cause: unknown): Error {
  if (errorCode(cause) === undefined) throw cause;
  return new VerificationError(reason, cause instanceof Error ? cause.message : reason, { cause });
}

async function checkSignatures(
  envelope: SignedDecision,
  { decision, signers }: VerifiedDecision,
): Promise<void> {
  const forged = await findForgery(envelope);
  if (forged !== undefined)
    throw new VerificationError("signature", "a signature is not its signer's", {
      detail: { signer: forged },
    });
  if (!signers.includes(decision.agent.peer))
    throw new VerificationError("author", "its author did not sign it", {
      detail: { author: decision.agent.peer },
    });
}

function checkExpectations(verified: VerifiedDecision, expected: Expectations): void {
  const { cluster, cid, address, signers = [] } = expected;
  if (cluster !== undefined && verified.decision.cluster !== cluster)
    throw new VerificationError("cluster", "it belongs to another mesh");
  if (cid !== undefined && verified.cid !== cid)
    throw new VerificationError("cid", "it has another hash", { detail: { cid: verified.cid } });
  if (address !== undefined && !isNamedBy(verified, parseAddress(address)))
    throw new VerificationError("address", "the address names another record");
  for (const signer of signers)
    if (!verified.signers.includes(signer))
      throw new VerificationError("signers", "a required signature is missing", { detail: { signer } });
}

/**
 * Whether an address can mean this record. `@latest` can mean any version: only who knows the lane's head can
 * say more. A pattern means every record that its fixed parts fit.
 */
function isNamedBy({ decision, cid }: VerifiedDecision, address: Address): boolean {
  if (address.kind === "immutable") return address.cid === cid;
  const { agent } = decision;
  const fits = (part: string, ...values: readonly (string | undefined)[]): boolean =>
    part === "*" || values.includes(part);
  const inLane =
    address.project === decision.project &&
    fits(address.task, decision.task) &&
    fits(address.role, decision.role) &&
    fits(address.agent, agent.peer, agent.name);
  if (!inLane) return false;
  return isAtTime(decision, cid, address.time);
}

function isAtTime(decision: Decision, cid: Cid, time: Time): boolean {
  if (time.kind === "latest") return true;
  if (time.kind === "first") return decision.seq === 1;
  if (time.kind === "version") return decision.seq === time.seq;
  if (time.kind === "cid") return time.cid === cid;
  return decision.createdAt <= time.atMs;
}

function checkSuccessor(previous: VerifiedDecision, next: VerifiedDecision): void {
  const fail = (problem: string): never => {
    throw new VerificationError("chain", problem, { detail: { previous: previous.cid, cid: next.cid } });
  };
  if (next.lane !== previous.lane || next.decision.cluster !== previous.decision.cluster)
    fail("it is in another lane");
  if (next.decision.seq === previous.decision.seq && next.cid !== previous.cid)
    throw new VerificationError("equivocation", "its author signed two records for one position", {
      detail: { seq: next.decision.seq, cids: [previous.cid, next.cid] },
    });
  if (next.decision.seq !== previous.decision.seq + 1) fail("a record before it is missing");
  if (next.decision.prev !== previous.cid) fail("it does not follow the record before it");
}
