import type { PeerId } from "@chorus/kernel";
import { isSettled, type Rules } from "./ledger-core.ts";
import type { StackLog } from "./log.ts";

/** The election, as the ledger sees it. */
export interface Leadership {
  admin(): { readonly peer: PeerId; readonly term: number } | undefined;
  isAdmin(): boolean;
  /** The highest saved term. */
  term(): number;
  voters(): readonly PeerId[];
}

/** This peer's lead over the log, as the package's `Lead`. */
export class Lead {
  readonly #leadership: Leadership;
  readonly #log: StackLog;
  readonly #rules: Rules;

  constructor(leadership: Leadership, log: StackLog, rules: Rules) {
    this.#leadership = leadership;
    this.#log = log;
    this.#rules = rules;
  }

  get isHeld(): boolean {
    return this.#leadership.isAdmin();
  }

  /** Makes the log the leader's, if it is not yet. @param then told the term, or undefined when this peer may not lead */
  take(then: (term: number | undefined) => void): void {
    const admin = this.#leadership.admin();
    if (!this.isHeld || admin === undefined) {
      then(undefined);
      return;
    }
    const { peer: self, term } = admin;
    this.recount();
    if (this.#log.leads(term)) then(term);
    else
      this.#log.feed(
        () => ({ kind: "lead", self, term, elected: this.#leadership.term() }),
        (problem) => then(problem === undefined ? term : undefined),
      );
  }

  /** Counts by the configuration of now. */
  recount(): void {
    const voters = this.#leadership.voters();
    const known = this.#log.core.voters;
    if (known.length === voters.length && voters.every((peer) => known.includes(peer))) return;
    this.#log.feed(() => ({ kind: "voters", voters, elected: this.#leadership.term() }));
  }

  copied(by: PeerId, term: number, index: number): void {
    this.recount();
    this.#log.feed(() => ({ kind: "copied", by, term, index }));
  }

  /** True when the voters may change: what is committed is safe with those of now. */
  isSettledIn(term: number, then: (settled: boolean) => void): void {
    this.recount();
    this.#log.feed(
      () => undefined,
      () => then(this.#log.leads(term) && isSettled(this.#log.core, this.#rules)),
    );
  }
}
