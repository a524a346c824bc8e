import { createPrivateKey, createPublicKey, hkdfSync } from "node:crypto";
import { InvalidInputError } from "@chorus/kernel";
import { encodeBech32 } from "./bech32.ts";
import type { Keys } from "./contract.ts";

const SECRET_BYTES = 32;
/** PKCS #8 wrapping of a raw X25519 key (RFC 8410, section 7). */
const PKCS8_X25519 = Buffer.from("302e020100300506032b656e04220420", "hex");

/**
 * The mesh's age key, derived from the cluster secret (HKDF-SHA256, salt `chorus/age/v1|CLUSTER`, info
 * `role=mesh|epoch=N`). Whoever holds the secret can derive it: derivation separates purposes and epochs, not
 * roles. Every epoch can be read.
 * @param options.clusterSecret 32 bytes
 * @param options.epoch that new blobs are sealed to. @default 1
 */
export function deriveKeys(options: {
  readonly clusterSecret: Uint8Array;
  readonly cluster: string;
  readonly epoch?: number;
}): Keys {
  const { clusterSecret, cluster, epoch = 1 } = options;
  if (clusterSecret.length !== SECRET_BYTES)
    throw new InvalidInputError("clusterSecret", `must be ${SECRET_BYTES} bytes`);
  return derived({ secret: clusterSecret.slice(), cluster, role: "mesh", level: "secret", epoch });
}

/**
 * Keys for an open mesh, which has no cluster secret. They are derived from the cluster's name alone, so that
 * peers can read each other; so can everybody else who knows the name. The bytes are sealed, but nothing is
 * protected, and the name of the level, `none`, says so. A peer with a secret refuses what is sealed to it.
 */
export function openMeshKeys(options: { readonly cluster: string }): Keys {
  const { cluster } = options;
  return derived({ secret: new Uint8Array(SECRET_BYTES), cluster, role: "open", level: "none", epoch: 1 });
}

interface Derivation {
  readonly secret: Uint8Array;
  readonly cluster: string;
  readonly role: string;
  readonly level: Keys["level"];
  readonly epoch: number;
}

function derived(derivation: Derivation): Keys {
  const { role, level, epoch } = derivation;
  if (!Number.isSafeInteger(epoch) || epoch < 1) throw new InvalidInputError("epoch", "must be 1 or more");
  return {
    level,
    role,
    epoch,
    recipients: [encodeRecipient(scalar(derivation, epoch))],
    identities: (asked, of) =>
      asked === role && Number.isSafeInteger(of) && of >= 1 ? [encodeIdentity(scalar(derivation, of))] : [],
  };
}

function scalar({ secret, cluster, role }: Derivation, epoch: number): Uint8Array {
  const info = `role=${role}|epoch=${epoch}`;
  return new Uint8Array(hkdfSync("sha256", secret, `chorus/age/v1|${cluster}`, info, 32));
}

function encodeIdentity(key: Uint8Array): string {
  return encodeBech32("age-secret-key-", key).toUpperCase();
}

function encodeRecipient(key: Uint8Array): string {
  const der = Buffer.concat([PKCS8_X25519, key]);
  const spki = createPublicKey(createPrivateKey({ key: der, format: "der", type: "pkcs8" }));
  return encodeBech32("age", spki.export({ format: "der", type: "spki" }).subarray(-32));
}
