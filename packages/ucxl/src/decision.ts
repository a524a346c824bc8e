import { type Canonical, cidOf, decodeCanonical, encodeCanonical, InvalidInputError } from "@chorus/kernel";
import { formatAddress } from "./address.ts";
import {
  bytes,
  type Check,
  cid,
  integer,
  isMap,
  line,
  listOf,
  mediaType,
  name,
  nullable,
  oneOf,
  peer,
  record,
} from "./check.ts";
import type { Decision, DecisionBody, DecisionDraft, EncodedDecision, Evidence } from "./contract.ts";

const TYPE = "chorus.decision/1";
const SALT_BYTES = 16;
/** Above what the limits of the fields add up to, so it bounds the work on hostile bytes only. */
const MAX_RECORD_BYTES = 262_144;
const MAX_BODY_BYTES = 131_072;
const MAX_EXT_BYTES = 16_384;
const MAX_EXT_ENTRIES = 32;

/**
 * Checks a decision and gives its bytes, its hash and its addresses. Nothing is signed or stored.
 * @throws InvalidInputError naming the field
 */
export async function encodeDecision(draft: DecisionDraft): Promise<EncodedDecision> {
  const decision = readDecision({
    ...draft,
    $type: draft.$type ?? TYPE,
    salt: draft.salt ?? crypto.getRandomValues(new Uint8Array(SALT_BYTES)),
    parents: Array.isArray(draft.parents)
      ? draft.parents.toSorted((a, b) => (a < b ? -1 : 1))
      : draft.parents,
  });
  return addressesOf(decision, encodeCanonical(toCanonical(decision)));
}

/**
 * Reads a record strictly: canonical bytes, known fields, every rule. Says nothing about who made it.
 * @throws InvalidInputError naming the field
 */
export function decodeDecision(bytes: Uint8Array): Decision {
  return readDecision(decodeCanonical(bytes, { maxBytes: MAX_RECORD_BYTES }));
}

/** The lane that only the author's key can write: names are for people, and anyone can take one. */
export function laneOf(decision: Decision): string {
  return [decision.project, decision.task, decision.role, decision.agent.peer].join("/");
}

export async function addressesOf(decision: Decision, bytes: Uint8Array): Promise<EncodedDecision> {
  const recordCid = await cidOf(bytes, "dag-cbor");
  const { project, task, role, agent, seq } = decision;
  return {
    bytes,
    cid: recordCid,
    address: formatAddress({ cid: recordCid }),
    laneAddress: formatAddress({ project, task, role, agent: agent.peer, time: { kind: "version", seq } }),
  };
}

const body: Check<DecisionBody> = (value, path) =>
  isMap(value) && value["cid"] !== undefined
    ? record({ mediaType, cid }, {})(value, path)
    : record({ mediaType, bytes: bytes(0, MAX_BODY_BYTES) }, {})(value, path);

const evidenceFields = record(
  {
    rel: oneOf("log", "test", "diff", "artifact", "prompt", "message"),
    cid,
    mediaType,
    size: integer(0),
  },
  { range: record({ offset: integer(0), length: integer(1) }, {}) },
);

const evidence: Check<Evidence> = (value, path) => {
  const item = evidenceFields(value, path);
  if (item.range !== undefined && item.range.offset > item.size - item.range.length)
    throw new InvalidInputError(`${path}/range`, "must lie within size");
  return item;
};

const ext: Check<Readonly<Record<string, Canonical>>> = (value, path) => {
  if (!isMap(value) || Object.keys(value).length > MAX_EXT_ENTRIES)
    throw new InvalidInputError(path, `must be a map of at most ${MAX_EXT_ENTRIES} entries`);
  for (const key of Object.keys(value)) name(key, `${path}/${key}`);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- encodeCanonical refuses whatever is not Canonical
  const canonical = value as Readonly<Record<string, Canonical>>;
  if (encodeCanonical({ [path]: canonical }).length > MAX_EXT_BYTES)
    throw new InvalidInputError(path, `must be at most ${MAX_EXT_BYTES} bytes`);
  return canonical;
};

const fields = record(
  {
    $type: oneOf(TYPE),
    salt: bytes(SALT_BYTES, SALT_BYTES),
    cluster: name,
    project: name,
    task: name,
    role: name,
    agent: record({ peer }, { name }),
    seq: integer(1),
    prev: nullable(cid),
    parents: listOf(cid, 16),
    kind: name,
    status: oneOf("proposed", "accepted", "rejected", "superseded", "withdrawn"),
    title: line(200),
    body,
    evidence: listOf(evidence, 64),
    createdAt: integer(0),
    audience: record({ role: name, epoch: integer(0) }, {}),
  },
  {
    supersedes: cid,
    confidencePpm: integer(0, 1_000_000),
    model: record({ provider: line(128), name: line(128) }, { params: cid }),
    adminTerm: record({ configVersion: integer(0), term: integer(1) }, {}),
    ext,
  },
);

function readDecision(value: unknown): Decision {
  const decision: Decision = fields(value, "");
  if ((decision.seq === 1) !== (decision.prev === null))
    throw new InvalidInputError("prev", "must be null exactly when seq is 1");
  const { parents } = decision;
  if (parents.some((parent, i) => i > 0 && parent <= (parents[i - 1] ?? "")))
    throw new InvalidInputError("parents", "must be sorted, without repeats");
  return decision;
}

/** Copies into the open map type that the encoder takes; content ids stay text. */
function toCanonical(decision: Decision): Canonical {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- interfaces lack an index signature; the encoder checks every value again
  return { ...decision } as unknown as Canonical;
}
