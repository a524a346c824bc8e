import { decodeCanonical, encodeCanonical, type Canonical } from "./canonical.ts";
import { ChorusError, InvalidInputError } from "./errors.ts";
import { parsePeerId, type PeerId } from "./ids.ts";
import { type SignatureClaim, verifySignature, type Signer } from "./signer.ts";

/** Largest body of one message; larger content travels by its address. */
const MAX_BODY_BYTES = 65_536;

const DOMAIN = "chorus/envelope/1";
const MAX_ENVELOPE_BYTES = MAX_BODY_BYTES + 4096;
const MAX_CAUSES = 16;
const MAX_LABELS = 16;

/** One signed message between peers: every gossip message, and every fact that is stored or forwarded. */
export interface Envelope {
  /** Major version; another one is refused. */
  readonly v: 1;
  /** What the body is, for example `task-submit`. An unknown type is ignored by its receiver. */
  readonly type: string;
  /** 16 random bytes in hex: the same id from the same peer is a replay. */
  readonly id: string;
  readonly from: PeerId;
  /** The mesh this message belongs to; another one is refused. */
  readonly cluster: string;
  /** The admin term the sender acts in, where the message depends on one. */
  readonly term?: number;
  /** Ids of messages that led to this one, at most 16. */
  readonly causes: readonly string[];
  /** Milliseconds since the epoch by the sender's clock. */
  readonly ts: number;
  /** W3C trace context, empty when there is none. */
  readonly traceparent: string;
  /** Where the content comes from (`untrusted`, `model`, …); labels ride along with what is made from it. */
  readonly labels: readonly string[];
  readonly body: Canonical;
}

/** What a sender decides; the rest is filled in by {@link sealEnvelope}. */
export interface EnvelopeDraft {
  readonly type: string;
  readonly cluster: string;
  readonly body: Canonical;
  readonly term?: number;
  readonly causes?: readonly string[];
  readonly traceparent?: string;
  readonly labels?: readonly string[];
}

/** A message that is malformed, too large, for another mesh, or not signed by its sender. */
class EnvelopeError extends ChorusError {
  readonly code = "kernel/bad-envelope";
  constructor(problem: string, cause?: unknown) {
    super(`message refused: ${problem}`, { detail: { problem }, cause });
  }
}

/** Signs a message. @returns the bytes to send: canonical DAG-CBOR of `{ message, sig }` */
export async function sealEnvelope(draft: EnvelopeDraft, signer: Signer, now: number): Promise<Uint8Array> {
  const body = encodeCanonical(draft.body);
  if (body.length > MAX_BODY_BYTES)
    throw new InvalidInputError("body", `is ${body.length} bytes, over ${MAX_BODY_BYTES}`);
  const id = Array.from(crypto.getRandomValues(new Uint8Array(16)), hex).join("");
  const message = encodeCanonical({
    v: 1,
    type: draft.type,
    id,
    from: signer.peer,
    cluster: draft.cluster,
    ...(draft.term === undefined ? {} : { term: draft.term }),
    causes: draft.causes ?? [],
    ts: now,
    traceparent: draft.traceparent ?? "",
    labels: draft.labels ?? [],
    body: draft.body,
  });
  return encodeCanonical({ message, sig: await signer.sign(DOMAIN, message) });
}

/**
 * Reads a message and checks size, shape, mesh and signature. Membership, age and replay are the receiver's
 * to judge, since they need state.
 * @param options.signedBy the peer whose signature over these very bytes has been verified already, for example by
 * the protocol that brought them: the message must be from it, and its own signature is not looked at
 * @throws EnvelopeError
 */
export async function openEnvelope(
  bytes: Uint8Array,
  cluster: string,
  options: { readonly signedBy?: PeerId } = {},
): Promise<Envelope> {
  if (bytes.length > MAX_ENVELOPE_BYTES) throw new EnvelopeError(`${bytes.length} bytes are too large`);
  try {
    const outer = fields(decodeCanonical(bytes, { maxBytes: MAX_ENVELOPE_BYTES }), ["message", "sig"]);
    const { message, sig } = outer;
    if (!(message instanceof Uint8Array) || !(sig instanceof Uint8Array))
      throw new EnvelopeError("message and sig must be bytes");
    const envelope = parseEnvelope(decodeCanonical(message, { maxBytes: MAX_ENVELOPE_BYTES }));
    if (envelope.cluster !== cluster) throw new EnvelopeError("it belongs to another mesh");
    await assertSigned({ peer: envelope.from, domain: DOMAIN, bytes: message, signature: sig }, options);
    return envelope;
  } catch (error) {
    if (error instanceof EnvelopeError) throw error;
    throw new EnvelopeError(error instanceof Error ? error.message : "unreadable", error);
  }
}

async function assertSigned(claim: SignatureClaim, { signedBy }: { signedBy?: PeerId }): Promise<void> {
  if (signedBy !== undefined && claim.peer !== signedBy)
    throw new EnvelopeError("its sender is not its signer");
  if (signedBy === undefined && !(await verifySignature(claim)))
    throw new EnvelopeError("the signature is not the sender's");
}

const REQUIRED = ["v", "type", "id", "from", "cluster", "causes", "ts", "traceparent", "labels", "body"];

function parseEnvelope(value: Canonical): Envelope {
  const m = fields(value, REQUIRED, ["term"]);
  if (m["v"] !== 1) throw new EnvelopeError("its version is unknown");
  const { term, body } = m;
  if (term !== undefined && !isCount(term)) throw new InvalidInputError("term", "must be a count");
  if (!isCount(m["ts"])) throw new InvalidInputError("ts", "must be milliseconds");
  if (body === undefined) throw new InvalidInputError("body", "is missing");
  return {
    v: 1,
    type: text(m["type"], "type", 64),
    id: text(m["id"], "id", 32),
    from: parsePeerId(m["from"], "from"),
    cluster: text(m["cluster"], "cluster", 64),
    ...(term === undefined ? {} : { term }),
    causes: texts(m["causes"], "causes", MAX_CAUSES),
    ts: m["ts"],
    traceparent: text(m["traceparent"], "traceparent", 128),
    labels: texts(m["labels"], "labels", MAX_LABELS),
    body,
  };
}

function fields(
  value: Canonical,
  required: readonly string[],
  optional: readonly string[] = [],
): Readonly<Record<string, Canonical | undefined>> {
  if (value === null || typeof value !== "object" || Array.isArray(value) || value instanceof Uint8Array)
    throw new InvalidInputError("message", "must be a map");
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Array.isArray does not narrow readonly arrays
  const map = value as Readonly<Record<string, Canonical>>;
  for (const key of required) if (!(key in map)) throw new InvalidInputError(key, "is missing");
  for (const key of Object.keys(map))
    if (!required.includes(key) && !optional.includes(key)) throw new InvalidInputError(key, "is unknown");
  return map;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function text(value: unknown, path: string, max: number): string {
  if (typeof value !== "string" || value.length > max)
    throw new InvalidInputError(path, `must be text of at most ${max} characters`);
  return value;
}

function texts(value: unknown, path: string, max: number): string[] {
  if (!Array.isArray(value) || value.length > max)
    throw new InvalidInputError(path, `must be a list of at most ${max}`);
  return value.map((item, i) => text(item, `${path}/${i}`, 64));
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}
