import type { ElectionConfig } from "@chorus/election/testing";
import type { PeerId } from "@chorus/kernel";

/** Makes the signatures of one peer. A node has its own and no other. */
export type Sign = (statement: string) => Uint8Array;

/**
 * Stands for Ed25519: a token over peer and statement, as real signatures would cost more than all the rest. Nothing
 * but the node's own {@link Sign} makes one, so a signature is as hard to come by as a real one.
 */
export function signerOf(peer: PeerId): Sign {
  return (statement) => token(peer, statement);
}

export function isSigned(peer: PeerId, statement: string, signature: Uint8Array): boolean {
  const expected = token(peer, statement);
  return expected.every((byte, i) => byte === signature[i]);
}

/** What a vote says; as in the package, the hash of the configuration stands for it. */
export function ballot(config: ElectionConfig, term: number, candidate: PeerId): string {
  return `vote ${textOf(config)} ${term} ${candidate}`;
}

/** What an approval says. The configuration before is named without the term that confirmed it. */
export function succession(previous: ElectionConfig | undefined, config: ElectionConfig): string {
  return `change ${previous === undefined ? "" : votersOf(previous)} ${textOf(config)}`;
}

/** What a leaving admin says. */
export function handover(config: ElectionConfig, term: number, successor: PeerId): string {
  return `transfer ${config.founding} ${term} ${successor}`;
}

/** A configuration without the term that wrote or confirmed it. */
export function votersOf(config: ElectionConfig): string {
  const known = texts.get(config);
  if (known !== undefined) return known;
  const voters = config.voters.map(
    ({ peer, eligible, priority }) => `${peer}${eligible ? "" : "-"}${priority}`,
  );
  const text = `${config.cluster} ${config.founding} ${config.version} ${voters.join(" ")}`;
  texts.set(config, text);
  return text;
}

function textOf(config: ElectionConfig): string {
  return `${config.cterm} ${votersOf(config)}`;
}

const texts = new WeakMap<ElectionConfig, string>();

/** Two different hashes of 32 bits. */
function token(peer: PeerId, statement: string): Uint8Array {
  const text = `${peer} ${statement}`;
  let one = 0x811c9dc5;
  let two = 0x01000193;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    one = Math.imul(one ^ code, 0x01000193);
    two = Math.imul(two + code, 0x2c1b3c6d) ^ (two >>> 15);
  }
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, one);
  view.setInt32(4, two);
  return bytes;
}
