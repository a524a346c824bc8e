import { createHmac } from "node:crypto";

const DOMAIN = "chorus/shhh/1";
/** Crockford's base32: no I, L, O, U, so that people can read a tag to each other. */
const DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH = 8;
const OPEN = "[shhh:";
const TAG = /\[shhh:[a-z0-9][a-z0-9-]{0,39}:[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}\]/y;

/**
 * `XXXX-XXXX`: 40 bits of HMAC-SHA256 over the rule and the secret. Keyed, because a plain hash of a weak
 * password is the password; per rule, because equal text under two rules need not be equal meaning.
 */
export function fingerprint(key: Uint8Array, rule: string, secret: Uint8Array): string {
  const digest = createHmac("sha256", key).update(`${DOMAIN}\0${rule}\0`).update(secret).digest();
  let digits = "";
  for (let i = 0; i < LENGTH; i++) {
    const bit = i * 5;
    const pair = digest.readUInt16BE(bit >> 3);
    digits += DIGITS[(pair >> (11 - (bit & 7))) & 31];
  }
  return `${digits.slice(0, 4)}-${digits.slice(4)}`;
}

/** What stands in the place of a secret. */
export function formatTag(rule: string, print: string): string {
  return `${OPEN}${rule}:${print}]`;
}

/** One past the tag that begins at `at`, or `at` when none does. */
export function tagEnd(text: string, at: number): number {
  TAG.lastIndex = at;
  return TAG.test(text) ? TAG.lastIndex : at;
}
