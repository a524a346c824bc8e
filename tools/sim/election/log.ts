import type { ElectionConfig, Input, LogPosition, LogQuestion } from "@chorus/election/testing";
import type { PeerId } from "@chorus/kernel";
import type { Disk } from "@chorus/sim";

/** The log between peers; an entry is the term of the admin that wrote it. */
export type LogMessage =
  | { readonly kind: "append"; readonly term: number; readonly entries: readonly number[] }
  | { readonly kind: "appended"; readonly term: number; readonly length: number };

interface Stored {
  /** Of the admin that last wrote. */
  readonly term: number;
  readonly entries: readonly number[];
}

const FILE = "log";
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * The smallest log that an election can protect, after Raft: an admin's log is the measure, the whole of it is sent,
 * and an entry is committed when a quorum has it on disk in the term in which it was written.
 */
export class PeerLog {
  entries: readonly number[];
  /** How much of it this peer, as admin, knows to be committed. */
  committed = 0;
  readonly #disk: Disk;
  #term = 0;
  #lengths = new Map<PeerId, number>();

  constructor(disk: Disk) {
    this.#disk = disk;
    const bytes = disk.read(FILE);
    const stored: Stored = bytes === undefined ? { term: 0, entries: [] } : JSON.parse(decoder.decode(bytes));
    this.entries = stored.entries;
    this.#term = stored.term;
  }

  /** As admin of `term`. */
  write(term: number, self: PeerId): void {
    if (term !== this.#term) this.#lengths = new Map();
    this.#save({ term, entries: [...this.entries, term] });
    this.#lengths.set(self, this.entries.length);
  }

  /** From the admin of the term that this peer is in. @returns undefined when the message is an old one of it */
  take({ term, entries }: LogMessage & { kind: "append" }): LogMessage | undefined {
    const late = term === this.#term && entries.length < this.entries.length;
    if (late) return undefined;
    if (term !== this.#term || entries.length > this.entries.length) this.#save({ term, entries });
    return { kind: "appended", term, length: entries.length };
  }

  count(from: PeerId, length: number, config: ElectionConfig): void {
    this.#lengths.set(from, Math.max(length, this.#lengths.get(from) ?? 0));
    const reached = this.#reached(config);
    if (this.entries[reached - 1] === this.#term) this.committed = Math.max(this.committed, reached);
  }

  isBehind(peer: PeerId): boolean {
    return (this.#lengths.get(peer) ?? 0) < this.entries.length;
  }

  /** P1: under these voters, not under those before. */
  isCommittedIn(term: number, config: ElectionConfig): boolean {
    return term === this.#term && this.entries[this.#reached(config) - 1] === term;
  }

  last(): LogPosition {
    return { term: this.entries.at(-1) ?? 0, index: this.entries.length };
  }

  judge(question: LogQuestion): Input {
    const { last } = question;
    const own = this.last();
    const granted = last.term > own.term || (last.term === own.term && last.index >= own.index);
    return { kind: "log-verdict", question, granted };
  }

  /** What a quorum has. */
  #reached({ voters }: ElectionConfig): number {
    const lengths = voters.map(({ peer }) => this.#lengths.get(peer) ?? 0).toSorted((a, b) => b - a);
    return lengths[Math.floor(voters.length / 2)] ?? 0;
  }

  #save(stored: Stored): void {
    this.#disk.write(`${FILE}.new`, encoder.encode(JSON.stringify(stored)));
    this.#disk.sync();
    this.#disk.rename(`${FILE}.new`, FILE);
    this.#disk.sync();
    this.entries = stored.entries;
    this.#term = stored.term;
  }
}
