import type { Clock } from "@chorus/kernel";

/** Largest window that we grant a stream, and so the largest frame that anyone may send us. */
export const MAX_WINDOW_BYTES = 2_097_152;

const HEADER_BYTES = 12;
const DATA = 0;
const PING = 2;
const SYN = 1;

/** A frame in more pieces is made of crumbs, each of which costs us an object. */
const MAX_PIECES = 8_192;
/** Frames of someone who does not take our answers to them; each may leave an answer waiting in memory. */
const MAX_UNANSWERED = 32_768;
/** At once, and each second: what nobody does who wants an answer. */
const STREAMS = { most: 1_024, perSecond: 512 };
const PINGS = { most: 256, perSecond: 16 };

/** A right that is used up and grows back. */
class Allowance {
  readonly #limit: { readonly most: number; readonly perSecond: number };
  readonly #clock: Clock;
  #left: number;
  #at: number;

  constructor(limit: { readonly most: number; readonly perSecond: number }, clock: Clock) {
    this.#limit = limit;
    this.#clock = clock;
    this.#left = limit.most;
    this.#at = clock.monotonic();
  }

  take(): boolean {
    const now = this.#clock.monotonic();
    const grown = ((now - this.#at) / 1_000) * this.#limit.perSecond;
    this.#left = Math.min(this.#limit.most, this.#left + grown) - 1;
    this.#at = now;
    return this.#left >= 0;
  }
}

/** Reads along with one connection's yamux frames, headers only, and says when the other side goes too far. */
export class YamuxWatch {
  readonly #header = new Uint8Array(HEADER_BYTES);
  readonly #view = new DataView(this.#header.buffer);
  readonly #streams: Allowance;
  readonly #pings: Allowance;
  /** Bytes of the header that have come, and of the body that have not. */
  #had = 0;
  #body = 0;
  #pieces = 0;
  #unanswered = 0;

  constructor(clock: Clock) {
    this.#streams = new Allowance(STREAMS, clock);
    this.#pings = new Allowance(PINGS, clock);
  }

  /** The other side has read what we had for it. */
  drained(): void {
    this.#unanswered = 0;
  }

  /**
   * @param stuck our answers wait because the other side does not read
   * @returns what is wrong with it
   */
  see(part: Uint8Array, stuck: boolean): string | undefined {
    this.#pieces++;
    for (let at = 0; at < part.length; ) {
      const skipped = Math.min(this.#body, part.length - at);
      this.#body -= skipped;
      at += skipped;
      const taken = Math.min(HEADER_BYTES - this.#had, part.length - at);
      this.#header.set(part.subarray(at, at + taken), this.#had);
      this.#had += taken;
      at += taken;
      if (this.#had < HEADER_BYTES) break;
      const problem = this.#judge(stuck);
      if (problem !== undefined) return problem;
    }
    return this.#pieces > MAX_PIECES ? "a yamux frame came in crumbs" : undefined;
  }

  #judge(stuck: boolean): string | undefined {
    this.#had = 0;
    this.#pieces = 0;
    const type = this.#view.getUint8(1);
    const length = this.#view.getUint32(8);
    if (type === DATA) {
      if (length > MAX_WINDOW_BYTES) return "a yamux frame is larger than any window";
      this.#body = length;
    }
    const opens = (this.#view.getUint16(2) & SYN) !== 0;
    if (type === PING && opens && !this.#pings.take()) return "too many yamux pings";
    if (type !== PING && opens && !this.#streams.take()) return "too many new streams";
    if (stuck && ++this.#unanswered > MAX_UNANSWERED) return "it sends but does not read";
    return undefined;
  }
}
