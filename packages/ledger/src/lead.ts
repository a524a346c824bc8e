import { InvalidInputError, type PeerId } from "@chorus/kernel";
import type { Leadership } from "./contract.ts";
import { NoLeaderError } from "./errors.ts";
import type { Log } from "./log.ts";

/** This peer's lead over the log, as the election gives and takes it. */
export class Lead {
  readonly #leadership: Leadership;
  readonly #log: Log<unknown, unknown>;

  constructor(leadership: Leadership, log: Log<unknown, unknown>) {
    this.#leadership = leadership;
    this.#log = log;
  }

  /** True while this peer is to lead. */
  get isHeld(): boolean {
    return this.#leadership.isAdmin();
  }

  /** Makes the log the leader's, if it is not yet. @returns the term. @throws NoLeaderError when this peer may not lead now */
  async take(): Promise<number> {
    const admin = this.#leadership.admin();
    if (!this.isHeld || admin === undefined) throw new NoLeaderError("the lead was lost");
    const voters = this.#voters(admin.peer);
    if (voters.length > 1 && this.#leadership.term === undefined)
      throw new InvalidInputError("leadership", "must know terms where there are several voters");
    await this.#log.count(voters);
    await this.#log.lead(admin.peer, admin.term);
    return admin.term;
  }

  /** Counts by the configuration of now. */
  async recount(): Promise<void> {
    const admin = this.#leadership.admin();
    if (this.isHeld && admin !== undefined) await this.#log.count(this.#voters(admin.peer));
  }

  /** A follower's disk has the log up to an index. */
  async copied(by: PeerId, term: number, index: number): Promise<void> {
    await this.recount();
    await this.#log.copied(by, term, index);
  }

  /** True when the voters may change: what is committed is safe with those of now. */
  async isSettledIn(term: number): Promise<boolean> {
    await this.recount();
    return this.#log.isSettledIn(term);
  }

  /**
   * An index below which everything is that was committed anywhere before the call. The lease is what rules out
   * another leader: both are looked at in the same moment.
   */
  async readIndex(signal: AbortSignal): Promise<number> {
    for (;;) {
      const term = await this.take();
      if (this.#log.isOpenIn(term) && this.isHeld) return this.#log.applied.index;
      signal.throwIfAborted();
      await this.#log.changed(signal);
    }
  }

  #voters(self: PeerId): readonly PeerId[] {
    return this.#leadership.config?.()?.voters.map(({ peer }) => peer) ?? [self];
  }
}
