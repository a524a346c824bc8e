import type { Alphabet } from "./contract.ts";

/** One bit per alphabet, so that "is this character in it" is one table look-up. */
export type AlphabetBit = number;

const DIGIT = "0123456789";
const LOWER = "abcdefghijklmnopqrstuvwxyz";
const UPPER = LOWER.toUpperCase();
const BASE62 = DIGIT + LOWER + UPPER;

const CHARACTERS: Readonly<Record<Alphabet, string>> = {
  digit: DIGIT,
  hex: `${DIGIT}abcdef`,
  "hex-any": `${DIGIT}abcdefABCDEF`,
  lower: LOWER,
  letter: LOWER + UPPER,
  "alnum-lower": DIGIT + LOWER,
  "alnum-upper": DIGIT + UPPER,
  base32: `${UPPER}234567`,
  "base32-lower": `${LOWER}234567`,
  base58: "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz",
  base62: BASE62,
  word: `${BASE62}_`,
  base64: `${BASE62}+/`,
  "base64-padded": `${BASE62}+/=`,
  base64url: `${BASE62}-_`,
  "base64-any": `${BASE62}+/-_`,
  uuid: `${DIGIT}abcdef-`,
  "bech32-upper": "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L",
  unreserved: `${BASE62}-._~`,
  token: `${BASE62}-._~+/=`,
};

/** Alphabets that no rule can name: what may follow when a block or a web token is longer than the window. */
const INTERNAL = { "pem-tail": `${BASE62}+/= \t\r\n\\"'`, scheme: `${BASE62}+.-` };

const names = [...Object.entries(CHARACTERS), ...Object.entries(INTERNAL)];
const bits = new Map(names.map(([name], i) => [name, 1 << i]));
const table = new Uint32Array(128);
for (const [name, characters] of names)
  for (const character of characters) {
    const code = character.charCodeAt(0);
    table[code] = (table[code] ?? 0) | (bits.get(name) ?? 0);
  }

/** The bit of an alphabet; 0, which holds no character, for an unknown name. */
export function alphabetBit(name: Alphabet | keyof typeof INTERNAL): AlphabetBit {
  return bits.get(name) ?? 0;
}

/** True when a UTF-16 unit is in the alphabet. NaN, as past the end of a text, never is. */
export function isIn(bit: AlphabetBit, code: number): boolean {
  return code < 128 && ((table[code] ?? 0) & bit) !== 0;
}

/** The characters of an alphabet, for making samples. */
export function charactersOf(name: Alphabet): string {
  return CHARACTERS[name];
}
