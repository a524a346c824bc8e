import { alphabetBit, isIn } from "./alphabet.ts";
import { WINDOW, type Detector, type Verdict, type View } from "./detector.ts";

/**
 * Private keys in armor: PEM, OpenSSH, OpenPGP, PuTTY. Real logs hold them indented, quoted, with `\n` written
 * out, joined to one line, and cut off; so the block is read as a sequence of base64 runs with anything between
 * them that can stand between lines. A run shorter than the others is the last one.
 */
const BEGIN = "-----BEGIN ";
const END = "-----END ";
const DASHES = "-----";
const PUTTY = "Private-Lines: ";
const LABEL_MAX = 64;
const SEPARATORS_MAX = 256;
const HEADER_MAX = 256;
const FIRST_RUN_MIN = 20;

const base64 = alphabetBit("base64-padded");
const base62 = alphabetBit("base62");
const digit = alphabetBit("digit");
const tail = alphabetBit("pem-tail");

/** Private key blocks, whole or cut off. Public keys, certificates and age's encrypted files are left alone. */
export const pemDetector: Detector = {
  rule: "private-key",
  kind: "private key block",
  layer: "block",
  confidence: "certain",
  anchors: [BEGIN, PUTTY],
  behind: 0,
  verify(view, anchorStart, anchorEnd) {
    const isPutty = view.text.startsWith(PUTTY, anchorStart);
    const limit = anchorStart + WINDOW;
    const body = isPutty ? view.run(digit, anchorEnd, limit) : readLabel(view, anchorEnd);
    if (body === undefined || body === "more") return body;
    const start = isPutty ? anchorEnd : anchorStart;
    return new BlockReader(view, limit).read(start, body);
  },
};

/** @returns the position behind `RSA PRIVATE KEY-----` */
function readLabel(view: View, from: number): number | "more" | undefined {
  const { text } = view;
  const close = text.indexOf(DASHES, from);
  const end = close === -1 ? text.length : close;
  if (end - from > LABEL_MAX) return undefined;
  if (close === -1) return view.ended ? undefined : "more";
  return text.slice(from, close).includes("PRIVATE KEY") ? close + DASHES.length : undefined;
}

function isHeaderName(character: string): boolean {
  return character === "-" || isIn(base62, character.charCodeAt(0));
}

function isHeaderValue(character: string): boolean {
  return character !== "\n" && character !== "\\";
}

/** Reads one block; a field is where the next character is looked for. */
class BlockReader {
  readonly #view: View;
  readonly #limit: number;
  #at = 0;
  #width = 0;
  #last = false;
  #end = 0;

  constructor(view: View, limit: number) {
    this.#view = view;
    this.#limit = limit;
  }

  read(start: number, body: number): Verdict {
    this.#at = body;
    let step: "on" | "stop" | "closed" = "on";
    while (step === "on") {
      this.#skipSeparators();
      if (this.#isCut()) return "more";
      if (this.#at < this.#limit) step = this.#readLine();
      // Only then, because a line may end where the text that has arrived ends.
      if (step !== "closed" && this.#isCut()) return "more";
      if (this.#at >= this.#limit) return this.#overflow(start);
    }
    return this.#end === 0 ? undefined : { start, end: this.#end };
  }

  #overflow(start: number): Verdict {
    return this.#width === 0 ? undefined : { start, end: this.#limit, tail };
  }

  #isCut(): boolean {
    return this.#at >= this.#view.text.length && this.#at < this.#limit && !this.#view.ended;
  }

  /** White space, quotes, diff and comment marks, and written-out escapes. */
  #skipSeparators(): void {
    const { text } = this.#view;
    const max = Math.min(this.#limit, this.#at + SEPARATORS_MAX);
    while (this.#at < max) {
      const character = text[this.#at];
      if (character === undefined || !" \t\r\n\"'`,>|#*\\".includes(character)) return;
      this.#at += 1;
      const next = text[this.#at];
      if (character === "\\" && next !== undefined && "nrt".includes(next)) this.#at += 1;
    }
  }

  #readLine(): "on" | "stop" | "closed" {
    const { text } = this.#view;
    const from = this.#at;
    if (text[from] === "-") return this.#readEnd();
    const to = this.#view.run(base64, from, this.#limit);
    this.#at = to;
    const length = to - from;
    if (this.#width === 0 && this.#readHeader(from, to)) return "on";
    if (length === 0) return "stop";
    if (length === 1 && text[from] === "+") return "on";
    return this.#accept(from, length) ? "on" : "stop";
  }

  #accept(from: number, length: number): boolean {
    const isChecksum = this.#view.text[from] === "=" && length === 5;
    const fits = this.#width === 0 ? length >= FIRST_RUN_MIN : !this.#last && length <= this.#width;
    if (!fits && !(isChecksum && this.#width > 0)) return false;
    this.#width = Math.max(this.#width, length);
    this.#last = length < this.#width;
    this.#end = this.#at;
    return true;
  }

  /** `Proc-Type: 4,ENCRYPTED` and the like, before the first run. @returns false when there is none */
  #readHeader(from: number, to: number): boolean {
    const name = this.#passWhile(to, Math.min(this.#limit, from + HEADER_MAX), isHeaderName);
    if (name > from && this.#view.text[name] === ":") {
      this.#at = this.#passWhile(name, Math.min(this.#limit, name + HEADER_MAX), isHeaderValue);
      return true;
    }
    if (name < this.#view.text.length || this.#view.ended) return false;
    this.#at = name;
    return true;
  }

  #passWhile(from: number, limit: number, test: (character: string) => boolean): number {
    const { text } = this.#view;
    const max = Math.min(limit, text.length);
    let at = from;
    while (at < max && test(text.charAt(at))) at += 1;
    return at;
  }

  #readEnd(): "on" | "stop" | "closed" {
    const { text, ended } = this.#view;
    const close = text.indexOf(DASHES, this.#at + END.length);
    const isNear = close !== -1 && close - this.#at <= END.length + LABEL_MAX;
    const isWhole = text.startsWith(END, this.#at);
    const isPart = !isWhole && END.startsWith(text.slice(this.#at, this.#at + END.length));
    const mayClose = isPart || (isWhole && close === -1 && text.length - this.#at <= END.length + LABEL_MAX);
    if (isWhole && isNear) {
      this.#at = close + DASHES.length;
      if (this.#width > 0) this.#end = this.#at;
      return "closed";
    }
    if (mayClose && !ended) this.#at = text.length;
    return "stop";
  }
}
