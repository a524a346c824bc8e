import { type Cid, decodeCanonical, parseCid, parsePeerId, partsOfCid } from "@chorus/kernel";
import type { Resolution, Resolver } from "@chorus/ucxi";
import {
  type Address,
  decodeDecision,
  type Decision,
  parseAddress,
  type SignedDecision,
  verifyDecision,
} from "@chorus/ucxl";
import { AddressPatternError, RecordMissingError } from "./errors.ts";
import { projectDecision } from "./projection.ts";
import type { Lanes } from "./records.ts";
import { AGENT_ROLE, SIGNATURES_ROLE } from "./wire.ts";

/** Fetches verified plaintext and lane heads. `@chorus/dht-storage` fits. */
export interface ContentSource extends Lanes {
  get(cid: Cid, options: { readonly signal: AbortSignal }): Promise<Uint8Array | undefined>;
}

type Cancel = { readonly signal: AbortSignal };
type LaneAddress = Exclude<Address, { kind: "immutable" }>;

/** Resolves addresses from the mesh's storage, with the author's signature checked before anything is shown. */
export function resolver(source: ContentSource, cluster: string): Resolver {
  return {
    async block(text, { signal }) {
      const cid = parseCid(text);
      const bytes = await source.get(cid, { signal });
      return bytes && { bytes, codec: partsOfCid(cid).codec };
    },
    async resolve(text, { signal }) {
      const address = parseAddress(text);
      if (address.kind === "pattern") throw new AddressPatternError();
      const cid = address.kind === "immutable" ? address.cid : await locate(source, address, signal);
      const bytes = cid && (await source.get(cid, { signal }));
      if (cid === undefined || bytes === undefined) return undefined;
      const plain: Resolution = {
        canonical: text,
        kind: address.kind,
        cid,
        bytes,
        codec: partsOfCid(cid).codec,
      };
      const record = plain.codec === "dag-cbor" ? asDecision(bytes) : undefined;
      if (record === undefined) return plain;
      const signed = await withSignatures(source, { record, cid, bytes }, { signal });
      const verified = await verifyDecision(signed, { cid, cluster, address: text });
      const value = projectDecision(verified.decision);
      return {
        ...plain,
        decision: { lane: verified.lane, seq: verified.decision.seq, value, signers: verified.signers },
      };
    },
  };
}

function asDecision(bytes: Uint8Array): Decision | undefined {
  try {
    return decodeDecision(bytes);
  } catch {
    return undefined;
  }
}

/** Which record a lane address means, walking back from the newest one. */
async function locate(
  source: ContentSource,
  address: LaneAddress,
  signal: AbortSignal,
): Promise<Cid | undefined> {
  if (address.time.kind === "cid") return address.time.cid;
  const head = await source.head(address.lane, { signal });
  if (head === undefined) return undefined;
  const isMeant = matcher(address.time, head.seq);
  for await (const { cid, decision } of walkBack(source, head.cid, signal)) if (isMeant(decision)) return cid;
  return undefined;
}

function matcher(time: LaneAddress["time"], newest: number): (decision: Decision) => boolean {
  switch (time.kind) {
    case "first":
      return ({ seq }) => seq === 1;
    case "version":
      return ({ seq }) => seq === time.seq;
    case "latest":
      return ({ seq }) => seq === newest - time.back;
    case "instant":
      return ({ createdAt }) => createdAt <= time.atMs;
    case "cid":
      return () => true;
  }
}

async function* walkBack(
  source: ContentSource,
  newest: Cid,
  signal: AbortSignal,
): AsyncGenerator<{ cid: Cid; decision: Decision }> {
  let cid: Cid | null = newest;
  while (cid !== null) {
    const bytes: Uint8Array | undefined = await source.get(cid, { signal });
    if (bytes === undefined) throw new RecordMissingError(cid);
    const decision = decodeDecision(bytes);
    yield { cid, decision };
    cid = decision.prev;
  }
}

async function withSignatures(
  source: ContentSource,
  { record, cid, bytes }: { record: Decision; cid: Cid; bytes: Uint8Array },
  { signal }: Cancel,
): Promise<SignedDecision> {
  const role = record.role === AGENT_ROLE ? SIGNATURES_ROLE : `${record.role}.signatures`;
  const head = await source.head(`${record.project}/${record.task}/${role}/${record.agent.peer}`, { signal });
  let next: Cid | null = head?.cid ?? null;
  while (next !== null) {
    const bundle = await source.get(next, { signal });
    if (bundle === undefined) break;
    const parsed = parseBundle(bundle);
    if (parsed.record === cid)
      return {
        payloadType: "application/vnd.chorus.decision.v1+cbor",
        payload: bytes,
        signatures: parsed.signatures,
      };
    next = parsed.prev;
  }
  throw new RecordMissingError(cid);
}

interface Bundle {
  readonly record: Cid;
  readonly signatures: SignedDecision["signatures"];
  readonly prev: Cid | null;
}

function parseBundle(bytes: Uint8Array): Bundle {
  const map = asMap(decodeCanonical(bytes));
  const signatures = map.get("signatures");
  const prev = map.get("prev");
  return {
    record: parseCid(map.get("record"), "record"),
    signatures: (Array.isArray(signatures) ? signatures : []).map((item: unknown) => {
      const signature = asMap(item);
      const sig = signature.get("sig");
      return {
        keyid: parsePeerId(signature.get("keyid"), "keyid"),
        sig: sig instanceof Uint8Array ? sig : new Uint8Array(),
      };
    }),
    prev: prev === null || prev === undefined ? null : parseCid(prev, "prev"),
  };
}

function asMap(value: unknown): Map<string, unknown> {
  return new Map(typeof value === "object" && value !== null ? Object.entries(value) : []);
}
