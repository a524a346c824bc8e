/** The fencing token: the place of a claim in the ledger. Strictly increasing over all claims of a task. */
export interface Token {
  readonly term: number;
  readonly index: number;
}
