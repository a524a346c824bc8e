/** What became of a proposal. */
export interface Outcome<R> {
  readonly index: number;
  readonly term: number;
  readonly result: R;
  /** SHA-256 of the command: its entry may be gone. */
  readonly digest: Uint8Array;
}
