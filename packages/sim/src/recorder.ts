import type { Fault } from "./contract.ts";
import { describeFault } from "./format.ts";

/** Keeps the trace, if it is wanted, and the hash of the run. */
export class Recorder {
  readonly tracing: boolean;
  readonly lines: string[] = [];
  #low = 0x811c9dc5 | 0;
  #high = 0x01000193;

  constructor(tracing: boolean) {
    this.tracing = tracing;
  }

  event(at: number, node: number): void {
    this.#mix(Math.floor(at * 1000));
    this.#mix(node);
  }

  note(at: number, node: number, text: string): void {
    this.#mix(node);
    for (let i = 0; i < text.length; i++) this.#mix(text.charCodeAt(i));
    this.line(at, `${node}: ${text}`);
  }

  fault(at: number, fault: Fault, what: "strikes" | "finds nobody" | "is over"): void {
    if (this.tracing) this.line(at, `*** ${what}: ${describeFault(fault)}`);
  }

  line(at: number, text: string): void {
    if (this.tracing) this.lines.push(`${at.toFixed(1).padStart(9)} ms  ${text}`);
  }

  hash(): string {
    return [this.#high, this.#low].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
  }

  /** FNV-1a over words, in two halves that differ. */
  #mix(word: number): void {
    this.#low = Math.imul(this.#low ^ word, 0x01000193);
    this.#low ^= this.#low >>> 15;
    this.#high = Math.imul(this.#high + word, 0x2c1b3c6d) ^ (this.#high >>> 13);
  }
}
