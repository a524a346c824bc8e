import { crc32 } from "node:zlib";

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const LENGTH = 6;

/** Six base62 digits of the CRC-32, as at the end of GitHub's and npm's tokens. */
export function crc32Base62(text: string): string {
  let value = crc32(text);
  let digits = "";
  while (value > 0) {
    digits = `${DIGITS[value % 62]}${digits}`;
    value = Math.floor(value / 62);
  }
  return digits.padStart(LENGTH, "0");
}

/** Whether the last six characters of a token's random part are the checksum of the others. */
export function endsInItsChecksum(body: string): boolean {
  return crc32Base62(body.slice(0, -LENGTH)) === body.slice(-LENGTH);
}
