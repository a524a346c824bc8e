import { InvalidInputError, type PeerId, type Signer, verifySignature } from "@chorus/kernel";
import { bytes, listOf, oneOf, peer, record } from "./check.ts";
import type { SignedDecision } from "./contract.ts";
import { decodeDecision } from "./decision.ts";

const PAYLOAD_TYPE = "application/vnd.chorus.decision.v1+cbor";
/** DSSE's encoding separates purposes by itself, and a generic verifier knows of no prefix before it. */
const DOMAIN = "";
const MAX_SIGNATURES = 16;
const MAX_PAYLOAD_BYTES = 262_144;

/**
 * Signs a record, or adds signatures to a signed one: the author's, a human co-signer's, a reviewer's.
 * Signatures are in the order of their signers' ids; a signer's earlier signature is replaced.
 * @throws InvalidInputError when the bytes are not a decision, or there are not 1–16 signers
 */
export async function signDecision(
  subject: Uint8Array | SignedDecision,
  signers: readonly Signer[],
): Promise<SignedDecision> {
  const isSigned = !(subject instanceof Uint8Array);
  const payload = new Uint8Array(isSigned ? subject.payload : subject);
  // A signature vouches for what was decided, so nothing unreadable is ever signed.
  decodeDecision(payload);
  const signatures = new Map<PeerId, Uint8Array>(
    isSigned ? subject.signatures.map(({ keyid, sig }) => [keyid, sig]) : [],
  );
  const message = preAuthEncoding(PAYLOAD_TYPE, payload);
  for (const signer of signers) signatures.set(signer.peer, await signer.sign(DOMAIN, message));
  if (signers.length === 0 || signatures.size > MAX_SIGNATURES)
    throw new InvalidInputError("signers", `must be 1–${MAX_SIGNATURES}`);
  return {
    payloadType: PAYLOAD_TYPE,
    payload,
    signatures: [...signatures]
      .map(([keyid, sig]) => ({ keyid, sig }))
      .toSorted((a, b) => (a.keyid < b.keyid ? -1 : 1)),
  };
}

/** Reads a signed decision from outside. @throws InvalidInputError naming the field */
export function parseSigned(value: unknown): SignedDecision {
  const signed = envelope(value, "");
  if (new Set(signed.signatures.map(({ keyid }) => keyid)).size < signed.signatures.length)
    throw new InvalidInputError("signatures", "must be one a signer");
  return signed;
}

/** The first signer whose signature does not hold. */
export async function findForgery({ payload, signatures }: SignedDecision): Promise<PeerId | undefined> {
  const message = preAuthEncoding(PAYLOAD_TYPE, payload);
  for (const { keyid, sig } of signatures)
    if (!(await verifySignature({ peer: keyid, domain: DOMAIN, bytes: message, signature: sig })))
      return keyid;
  return undefined;
}

const envelope = record(
  {
    payloadType: oneOf(PAYLOAD_TYPE),
    payload: bytes(1, MAX_PAYLOAD_BYTES),
    signatures: listOf(record({ keyid: peer, sig: bytes(64, 64) }, {}), MAX_SIGNATURES, 1),
  },
  {},
);

/** PAE of the DSSE protocol, version 1: lengths are decimal counts of bytes. */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Uint8Array {
  const encoder = new TextEncoder();
  const type = encoder.encode(payloadType);
  const head = encoder.encode(`DSSEv1 ${type.length} ${payloadType} ${payload.length} `);
  const message = new Uint8Array(head.length + payload.length);
  message.set(head);
  message.set(payload, head.length);
  return message;
}
