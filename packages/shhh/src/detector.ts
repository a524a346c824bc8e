import type { AlphabetBit } from "./alphabet.ts";
import type { Confidence, Finding } from "./contract.ts";

/**
 * How far one candidate may reach behind its anchor. With anchor and look-behind it stays under the 16 KiB that
 * a stream may hold back. A run that is still open here is hidden up to its end, however far that is.
 */
export const WINDOW = 16_128;

/** How far a detector may look at text before its match, which may have left a stream already. */
export const CONTEXT = 32;

/** The text around a candidate, as far as it has arrived. Positions are indices into `text`. */
export interface View {
  readonly text: string;
  /** Nothing follows the text. */
  readonly ended: boolean;
  /** Where the last match ends: what follows a secret directly stands apart from it. */
  readonly matchedTo: number;
  /** End of the run of an alphabet from a position, at most `limit`. Each character is read once per alphabet. */
  run(alphabet: AlphabetBit, from: number, limit: number): number;
}

/** A secret between two positions. */
export interface Match {
  readonly start: number;
  readonly end: number;
  readonly confidence?: Confidence;
  readonly checksumOk?: boolean;
  /** The window ended inside a run of this alphabet, which is to be hidden to its end. */
  readonly tail?: AlphabetBit;
}

/** Not a secret; or a match; or `more`: the answer depends on text that has not arrived. */
export type Verdict = undefined | Match | "more";

/** Decides about candidates. The answer may depend on the text from {@link CONTEXT} before the match on. */
export interface Detector {
  readonly rule: string;
  readonly kind: string;
  readonly layer: Finding["layer"];
  readonly confidence: Confidence;
  readonly anchors: readonly string[];
  /** Most characters before the anchor that may belong to the match. */
  readonly behind: number;
  verify(view: View, anchorStart: number, anchorEnd: number): Verdict;
  /** What the fingerprint is made of, where it is not the matched text. */
  readonly secret?: Uint8Array;
}
