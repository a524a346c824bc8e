import { importSeed, verify } from "./ed25519.ts";
import { peerIdFromPublicKey, publicKeyOf, type PeerId } from "./ids.ts";
import { InvalidInputError } from "./errors.ts";

/**
 * Signs in the name of one peer. `domain` separates purposes: a signature made for a vote can never be shown
 * as a signature of a record.
 */
export interface Signer {
  readonly peer: PeerId;
  /**
   * @param domain what the signature is for: without NUL, not starting with `DSSEv1 `. Empty only for formats
   * that separate themselves and that outside tools verify: DSSE's pre-authentication encoding and the text of
   * a C2SP checkpoint (three or more lines, none of them empty, each ended by a newline).
   * @returns 64 bytes, Ed25519 (RFC 8032) over `domain ‖ 0x00 ‖ bytes`, or over `bytes` for the empty domain
   * @throws InvalidInputError for another domain, or other bytes with the empty domain
   */
  sign(domain: string, bytes: Uint8Array): Promise<Uint8Array>;
}

/** Makes a signer from a raw 32-byte Ed25519 seed. The key is imported as non-extractable, as far as the platform can. */
export async function createSigner(seed: Uint8Array): Promise<Signer> {
  if (seed.length !== 32) throw new InvalidInputError("seed", "must be 32 bytes");
  const { publicKey, sign } = await importSeed(seed);
  return {
    peer: peerIdFromPublicKey(publicKey),
    sign: async (domain, bytes) => sign(separated(domain, bytes)),
  };
}

/** A claim that `peer` signed these bytes in this domain. */
export interface SignatureClaim {
  readonly peer: PeerId;
  readonly domain: string;
  readonly bytes: Uint8Array;
  readonly signature: Uint8Array;
}

/** True when the claim holds, false also for what {@link Signer.sign} would refuse to sign; never throws. */
export async function verifySignature(claim: SignatureClaim): Promise<boolean> {
  const { peer, domain, bytes, signature } = claim;
  if (signature.length !== 64) return false;
  try {
    return await verify(publicKeyOf(peer), separated(domain, bytes), signature);
  } catch {
    return false;
  }
}

/** How every pre-authentication encoding of DSSE starts. */
const DSSE_HEAD = "DSSEv1 ";

/**
 * The message that is signed; no two pairs of domain and bytes give the same one. With a domain it holds a NUL
 * right after the domain, and a domain holds none, so the first NUL tells where the bytes begin. Of the messages
 * without a domain, a note's text holds no NUL at all, and DSSE's encoding none before its head is over; so a
 * message with a domain could look like one only if the domain started with that head, and such a one is refused.
 */
function separated(domain: string, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  if (domain === "") {
    if (!isDsse(bytes) && !isCheckpointText(bytes))
      throw new InvalidInputError(
        "bytes",
        "must be DSSE's encoding or a checkpoint's text, or have a domain",
      );
    return new Uint8Array(bytes);
  }
  // Lone surrogates would all be encoded alike.
  if (domain.includes("\0") || domain.startsWith(DSSE_HEAD) || !domain.isWellFormed())
    throw new InvalidInputError(
      "domain",
      "must be Unicode text without NUL that does not start as DSSE does",
    );
  const prefix = new TextEncoder().encode(`${domain}\0`);
  const message = new Uint8Array(prefix.length + bytes.length);
  message.set(prefix);
  message.set(bytes, prefix.length);
  return message;
}

function isDsse(bytes: Uint8Array): boolean {
  return new TextEncoder().encode(DSSE_HEAD).every((byte, i) => bytes[i] === byte);
}

/** Note text by C2SP signed-note (UTF-8, no control characters but newlines), lines by C2SP tlog-checkpoint. */
function isCheckpointText(bytes: Uint8Array): boolean {
  if (!bytes.every((byte) => byte >= 0x20 || byte === 0x0a)) return false;
  try {
    const lines = new TextDecoder("utf-8", { fatal: true }).decode(bytes).split("\n");
    return lines.pop() === "" && lines.length >= 3 && !lines.includes("");
  } catch {
    return false;
  }
}
