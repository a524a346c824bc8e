import { peerIdFromPublicKey, publicKeyOf, type PeerId } from "./ids.ts";
import { InvalidInputError } from "./errors.ts";

/**
 * Signs in the name of one peer. `domain` separates purposes: a signature made for a vote can never be shown
 * as a signature of a record.
 */
export interface Signer {
  readonly peer: PeerId;
  /**
   * @param domain what the signature is for. Empty only for formats that separate themselves and that outside
   * tools verify: DSSE's pre-authentication encoding and C2SP signed notes.
   * @returns 64 bytes, Ed25519 (RFC 8032) over `domain ‖ 0x00 ‖ bytes`, or over `bytes` for the empty domain
   */
  sign(domain: string, bytes: Uint8Array): Promise<Uint8Array>;
}

/** PKCS #8 wrapping of a raw Ed25519 seed (RFC 8410, section 7). */
const PKCS8_ED25519 = Uint8Array.of(
  0x30,
  0x2e,
  0x02,
  0x01,
  0,
  0x30,
  5,
  6,
  3,
  0x2b,
  0x65,
  0x70,
  4,
  0x22,
  4,
  0x20,
);

/** Makes a signer from a raw 32-byte Ed25519 seed. The key is imported as non-extractable. */
export async function createSigner(seed: Uint8Array): Promise<Signer> {
  if (seed.length !== 32) throw new InvalidInputError("seed", "must be 32 bytes");
  const pkcs8 = Uint8Array.of(...PKCS8_ED25519, ...seed);
  const withPublic = await crypto.subtle.importKey("pkcs8", pkcs8, "Ed25519", true, ["sign"]);
  const { x } = await crypto.subtle.exportKey("jwk", withPublic);
  const key = await crypto.subtle.importKey("pkcs8", pkcs8, "Ed25519", false, ["sign"]);
  pkcs8.fill(0);
  const peer = peerIdFromPublicKey(fromBase64Url(x ?? ""));
  return {
    peer,
    sign: async (domain, bytes) =>
      new Uint8Array(await crypto.subtle.sign("Ed25519", key, separated(domain, bytes))),
  };
}

/** A claim that `peer` signed these bytes in this domain. */
export interface SignatureClaim {
  readonly peer: PeerId;
  readonly domain: string;
  readonly bytes: Uint8Array;
  readonly signature: Uint8Array;
}

/** True when the claim holds; never throws. */
export async function verifySignature(claim: SignatureClaim): Promise<boolean> {
  const { peer, domain, bytes, signature } = claim;
  if (signature.length !== 64) return false;
  try {
    const raw = new Uint8Array(publicKeyOf(peer));
    const key = await crypto.subtle.importKey("raw", raw, "Ed25519", false, ["verify"]);
    return await crypto.subtle.verify("Ed25519", key, new Uint8Array(signature), separated(domain, bytes));
  } catch {
    return false;
  }
}

function separated(domain: string, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const prefix = new TextEncoder().encode(domain === "" ? "" : `${domain}\0`);
  const message = new Uint8Array(prefix.length + bytes.length);
  message.set(prefix);
  message.set(bytes, prefix.length);
  return message;
}

function fromBase64Url(text: string): Uint8Array {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (char) => char.charCodeAt(0));
}
