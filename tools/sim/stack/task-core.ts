import { createHash } from "node:crypto";
import { type Canonical, encodeCanonical } from "@chorus/kernel";
import { parseTask } from "@chorus/coordinator";

const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";
const TERMINAL = ["completed", "failed", "canceled", "rejected", "expired", "dead-letter"];

/** Nothing happens any more. Said here anew, as an onlooker does not ask those whom it watches. */
export function isTerminal(state: string): boolean {
  return TERMINAL.includes(state);
}

/** base32(SHA-256(principal ‖ 0 ‖ key)), as the design has it. */
export function taskIdOf(principal: string, key: string): string {
  return base32(createHash("sha256").update(`${principal}\0${key}`).digest());
}

export function base32(bytes: Uint8Array): string {
  let bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, "0")).join("");
  bits = bits.padEnd(Math.ceil(bits.length / 5) * 5, "0");
  return (bits.match(/.{5}/g) ?? []).map((five) => ALPHABET[Number.parseInt(five, 2)]).join("");
}

/** What makes two requests under one key the same. */
export function specBytesOf(spec: unknown): Uint8Array {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a parsed task is JSON with whole numbers
  return encodeCanonical(parseTask(spec) as unknown as Canonical);
}

/** A peer's place in line, computed alike by all: the drivers need no more of the coordinator's ranking. */
export function placeOf(
  self: string,
  key: string,
  line: { readonly peers: readonly string[]; readonly last: readonly string[] },
): number {
  const weight = (peer: string): number => (line.last.includes(peer) ? 2 ** 32 : 0) + hash(`${key} ${peer}`);
  const own = weight(self);
  return new Set(line.peers.filter((peer) => peer !== self && weight(peer) < own)).size;
}

function hash(text: string): number {
  let sum = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) sum = Math.imul(sum ^ text.charCodeAt(i), 0x01000193);
  return sum >>> 0;
}
