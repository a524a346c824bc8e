import { remembered } from "./remembered.ts";

/** One way to do Ed25519 (RFC 8032); both give the same bytes and accept the same signatures. */
interface Ed25519 {
  /** Imports a PKCS #8 key; the caller may overwrite the bytes afterwards. */
  signer(pkcs8: Uint8Array<ArrayBuffer>): Promise<{
    readonly publicKey: Uint8Array;
    readonly sign: (message: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>;
  }>;
  verify(
    publicKey: Uint8Array,
    message: Uint8Array<ArrayBuffer>,
    signature: Uint8Array,
  ): boolean | Promise<boolean>;
}

/** PKCS #8 wrapping of a raw Ed25519 seed (RFC 8410, section 7). */
const PKCS8_HEAD = Uint8Array.of(0x30, 0x2e, 0x02, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20);

/** Keys of this many peers are kept imported. */
const KEPT_KEYS = 512;

/** Asked for at run time: an import would keep this package out of browsers. */
const nodeCrypto = globalThis.process?.getBuiltinModule?.("node:crypto");
type NodeCrypto = NonNullable<typeof nodeCrypto>;

/** OpenSSL on this thread: a tenth of a millisecond, where Web Crypto's detour over other threads takes one. */
function native({ createPrivateKey, createPublicKey, sign, verify }: NodeCrypto): Ed25519 {
  const imported = remembered((x) => createPublicKey({ key: jwk(x), format: "jwk" }), KEPT_KEYS);
  return {
    async signer(pkcs8) {
      const key = createPrivateKey({ key: Buffer.from(pkcs8), format: "der", type: "pkcs8" });
      const { x = "" } = createPublicKey(key).export({ format: "jwk" });
      return {
        publicKey: new Uint8Array(Buffer.from(x, "base64url")),
        sign: async (message) => new Uint8Array(sign(null, message, key)),
      };
    },
    verify: (publicKey, message, signature) =>
      verify(null, message, imported(Buffer.from(publicKey).toString("base64url")), signature),
  };
}

/** Where there is no Node: the browser. */
function web({ subtle }: Crypto): Ed25519 {
  return {
    async signer(pkcs8) {
      const open = await subtle.importKey("pkcs8", pkcs8, "Ed25519", true, ["sign"]);
      const { x = "" } = await subtle.exportKey("jwk", open);
      const key = await subtle.importKey("pkcs8", pkcs8, "Ed25519", false, ["sign"]);
      return {
        publicKey: fromBase64Url(x),
        sign: async (message) => new Uint8Array(await subtle.sign("Ed25519", key, message)),
      };
    },
    async verify(publicKey, message, signature) {
      const key = await subtle.importKey("raw", new Uint8Array(publicKey), "Ed25519", false, ["verify"]);
      return subtle.verify("Ed25519", key, new Uint8Array(signature), message);
    },
  };
}

/** Both ways, so that a test can compare them. */
export const implementations = { native, web };

const ed25519 = nodeCrypto === undefined ? web(globalThis.crypto) : native(nodeCrypto);

/** Imports a raw seed of 32 bytes. */
export async function importSeed(seed: Uint8Array): ReturnType<Ed25519["signer"]> {
  const pkcs8 = Uint8Array.of(...PKCS8_HEAD, ...seed);
  const signer = await ed25519.signer(pkcs8);
  pkcs8.fill(0);
  return signer;
}

/** False, or an error, for what the key did not sign. */
export async function verify(
  publicKey: Uint8Array,
  message: Uint8Array<ArrayBuffer>,
  signature: Uint8Array,
): Promise<boolean> {
  return ed25519.verify(publicKey, message, signature);
}

function jwk(x: string): { kty: "OKP"; crv: "Ed25519"; x: string } {
  return { kty: "OKP", crv: "Ed25519", x };
}

function fromBase64Url(text: string): Uint8Array {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (char) => char.charCodeAt(0));
}
