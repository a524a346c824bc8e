import { writeFileSync } from "node:fs";
import { createSigner, publicKeyOf } from "@chorus/kernel";

/** An Ed25519 private key as libp2p's protobuf has it: type 1, then 64 bytes. */
const HEAD = Uint8Array.of(0x08, 0x01, 0x12, 0x40);

/** Makes a peer's key before there is a peer, so that the others can be told its name. @returns the name */
export async function makeIdentity(file: string): Promise<string> {
  const seed = crypto.getRandomValues(new Uint8Array(32));
  const { peer } = await createSigner(seed);
  writeFileSync(file, Buffer.concat([HEAD, seed, publicKeyOf(peer)]), { mode: 0o600 });
  return peer;
}
