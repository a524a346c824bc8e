import type { Clock, Logger, PeerId } from "@chorus/kernel";

interface Dossier {
  /** Offences not forgiven yet, as of `at` (monotonic). */
  offences: number;
  at: number;
  /** How often this peer has been cut off. */
  cuts: number;
  refusedUntil: number;
}

/** What the memory of offences is made from. */
export interface ConductContext {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** An honest peer can be behind the times or have an odd clock; one that goes on past this is cut off. */
const MAX_OFFENCES = 5;
const FORGIVEN_EVERY_MS = 30_000;
const FIRST_REFUSAL_MS = 60_000;
const LONGEST_REFUSAL_MS = 3_600_000;
const MAX_RECORDS = 1024;

/**
 * Remembers who breaks the rules, each peer by its name and never by its address: many honest ones may be
 * behind the same. A peer whose offences outrun forgiveness is refused, for twice as long each time.
 */
export class Conduct {
  readonly #context: ConductContext;
  readonly #records = new Map<PeerId, Dossier>();
  readonly #cutOff: (peer: PeerId) => void;

  /** @param cutOff breaks the connections of a peer that has gone too far */
  constructor(context: ConductContext, cutOff: (peer: PeerId) => void) {
    this.#context = context;
    this.#cutOff = cutOff;
  }

  offend(peer: PeerId, problem: string): void {
    const { clock, logger } = this.#context;
    const now = clock.monotonic();
    const record = this.#record(peer, now);
    record.offences = this.#remaining(record, now) + 1;
    record.at = now;
    if (record.offences <= MAX_OFFENCES || record.refusedUntil > now) return;
    const refusedMs = Math.min(FIRST_REFUSAL_MS * 2 ** record.cuts, LONGEST_REFUSAL_MS);
    record.cuts++;
    record.offences = 0;
    record.refusedUntil = now + refusedMs;
    logger.warn("a member keeps breaking the rules and is cut off", { peer, problem, refusedMs });
    this.#cutOff(peer);
  }

  /** When the peer may connect again (monotonic); undefined when it may now. */
  refusedUntil(peer: PeerId): number | undefined {
    const until = this.#records.get(peer)?.refusedUntil ?? 0;
    return until > this.#context.clock.monotonic() ? until : undefined;
  }

  #remaining({ offences, at }: Dossier, now: number): number {
    return Math.max(0, offences - (now - at) / FORGIVEN_EVERY_MS);
  }

  #record(peer: PeerId, now: number): Dossier {
    const known = this.#records.get(peer);
    if (known) return known;
    if (this.#records.size >= MAX_RECORDS) this.#forgetOne(now);
    const record = { offences: 0, at: now, cuts: 0, refusedUntil: 0 };
    this.#records.set(peer, record);
    return record;
  }

  /** A member can make new names at will: those in force outlive the flood, the oldest of the rest go. */
  #forgetOne(now: number): void {
    const [oldest] = this.#records.keys();
    const idle = [...this.#records].find(([, { refusedUntil }]) => refusedUntil <= now);
    const forgotten = idle?.[0] ?? oldest;
    if (forgotten !== undefined) this.#records.delete(forgotten);
  }
}
