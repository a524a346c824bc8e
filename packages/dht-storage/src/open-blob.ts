import { createHash } from "node:crypto";
import { cidFromDigest, cidOf, partsOfCid, type Cid } from "@chorus/kernel";
import { openBytes, openStream } from "./age.ts";
import { blocksOf, type SignedEnvelope } from "./blob-envelope.ts";
import { CiphertextError, NoKeyError, RefusedError } from "./errors.ts";
import type { Parts } from "./parts.ts";

/** Opens a ciphertext that is one block, and checks that it is what the address says. @throws RefusedError */
export async function openWhole(
  parts: Parts,
  signed: SignedEnvelope,
  sealed: Uint8Array,
): Promise<Uint8Array> {
  const { addr } = signed.envelope;
  const plain = await openBytes(sealed, identitiesFor(parts, signed)).catch((cause: unknown) => {
    throw new RefusedError("its ciphertext cannot be opened", cause);
  });
  assertAddress(addr, await cidOf(plain, partsOfCid(addr).codec));
  return plain;
}

/** Where the blocks of a ciphertext come from. @throws what it likes when a block cannot be had */
export type ReadBlock = (hash: string) => Promise<Uint8Array>;

/** Opens a ciphertext of several blocks. The plaintext is provisional unless it was checked before. */
export async function* openBlocks(
  parts: Parts,
  signed: SignedEnvelope,
  read: ReadBlock,
): AsyncGenerator<Uint8Array> {
  yield* openStream(ciphertext(signed, read), identitiesFor(parts, signed));
}

/** Opens the whole ciphertext once, keeping nothing, to learn whether it is what the address says. @throws RefusedError */
export async function checkBlocks(parts: Parts, signed: SignedEnvelope, read: ReadBlock): Promise<void> {
  const { addr } = signed.envelope;
  const digest = createHash("sha256");
  try {
    for await (const chunk of openBlocks(parts, signed, read)) digest.update(chunk);
  } catch (error) {
    if (!(error instanceof CiphertextError)) throw error;
    throw new RefusedError("its ciphertext cannot be opened", error);
  }
  assertAddress(addr, cidFromDigest(digest.digest(), partsOfCid(addr).codec));
}

/** @throws NoKeyError when this peer cannot read what is sealed to this role and epoch */
export function identitiesFor({ keys }: Parts, { envelope }: SignedEnvelope): readonly string[] {
  const { role, epoch } = envelope;
  const identities = keys.identities(role, epoch);
  if (identities.length === 0) throw new NoKeyError(role, epoch);
  return identities;
}

async function* ciphertext({ envelope }: SignedEnvelope, read: ReadBlock): AsyncGenerator<Uint8Array> {
  for (const { hash } of blocksOf(envelope)) yield await read(hash);
}

function assertAddress(asked: Cid, found: Cid): void {
  if (asked !== found) throw new RefusedError("the plaintext is not what the address says");
}
