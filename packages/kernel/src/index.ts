/**
 * The names that every CHORUS package shares.
 *
 * @example
 * import { createSigner, openEnvelope, sealEnvelope } from "@chorus/kernel";
 *
 * const signer = await createSigner(crypto.getRandomValues(new Uint8Array(32)));
 * const bytes = await sealEnvelope(
 *   { type: "greeting", cluster: "demo", body: { text: "hello" } },
 *   signer,
 *   Date.now(),
 * );
 * const { from, body } = await openEnvelope(bytes, "demo");
 * console.log(from === signer.peer, body);
 *
 * @packageDocumentation
 */
export type { Branded, Clean } from "./brand.ts";
export { type Canonical, decodeCanonical, encodeCanonical, equalBytes } from "./canonical.ts";
export { type Envelope, openEnvelope, sealEnvelope } from "./envelope.ts";
export { ChorusError, errorCode, InvalidInputError } from "./errors.ts";
export {
  type Cid,
  cidFromDigest,
  cidOf,
  parseCid,
  parsePeerId,
  partsOfCid,
  type PeerId,
  publicKeyOf,
} from "./ids.ts";
export {
  type Clock,
  type Logger,
  type PeerStream,
  type PubSub,
  silentLogger,
  type Streams,
  systemClock,
} from "./ports.ts";
export { createSigner, type Signer, verifySignature } from "./signer.ts";
