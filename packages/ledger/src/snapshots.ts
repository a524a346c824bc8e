import type { Clock, Logger } from "@chorus/kernel";
import type { Captured } from "./applied.ts";
import type { LogMark, LogStore, SnapshotHead, SnapshotPart, StoredEntry } from "./contract.ts";
import { DiskFullError, ProtocolError } from "./errors.ts";
import { continues, load, type Pieces } from "./snapshot.ts";

/** Parts are made and written in turns of about so long; the peer does other things in between. */
const TURN_MS = 8;
const TURN_PARTS = 16;
const PAUSE_MS = 2;
/** What an entry costs beside its command. */
const ENTRY_BYTES = 128;
/** A snapshot may be so many times as large as the entries it is taken for. */
const LARGER = 4;
/** While a follower fetches the snapshot the next one waits until so many times as much is due. */
const PATIENCE = 4;
/** After a failure the next try comes when a part of what is due has been added. */
const RETRY_PART = 0.25;

/** When a snapshot is due. */
export interface SnapshotRules {
  readonly entries: number;
  readonly bytes: number;
  /** Entries before it that stay. */
  readonly trail: number;
}

interface SnapshotPorts {
  readonly store: LogStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly rules: SnapshotRules;
  readonly capture: () => Captured | undefined;
  /** Where the log stood at an index, or at the first one that is known. */
  readonly markAt: (index: number) => Promise<LogMark>;
  /** Puts what is staged in place, between the log's own steps. */
  readonly install: (head: SnapshotHead, base: LogMark) => Promise<void>;
  /** True when nothing is to be written any more. */
  readonly isOver: () => boolean;
  readonly stopping: AbortSignal;
  readonly fail: (error: unknown) => void;
}

/** Takes this peer's own snapshots, and keeps the pieces of a leader's until they are whole. */
export class Snapshots {
  readonly #ports: SnapshotPorts;
  /** Since the last snapshot. */
  #entries = 0;
  #bytes = 0;
  /** Size of the last snapshot. */
  #size = 0;
  /** Share of what is due at which the next one is tried. */
  #share = 1;
  #pins = 0;
  #taking: Promise<void> | undefined;
  #sweeping: Promise<void> = Promise.resolve();
  /** A leader's snapshot is being fetched: it has the stage. */
  #receiving = false;

  constructor(ports: SnapshotPorts) {
    this.#ports = ports;
  }

  /** The snapshot on the disk is so large. */
  known(size: number): void {
    this.#size = size;
    [this.#entries, this.#bytes, this.#share] = [0, 0, 1];
  }

  count(entries: readonly StoredEntry[]): void {
    this.#entries += entries.length;
    for (const { command } of entries) this.#bytes += command.length + ENTRY_BYTES;
  }

  /** Counts what was applied, and takes a snapshot when one is due. */
  applied(entries: readonly StoredEntry[]): void {
    this.count(entries);
    if (this.#taking === undefined && !this.#receiving && this.#isDue()) this.#start();
  }

  /** While it holds, the snapshot stays if possible: somebody reads it. */
  pin(): Disposable {
    this.#pins++;
    return { [Symbol.dispose]: () => void this.#pins-- };
  }

  /** Removes what nobody needs from the disk, piece by piece. */
  sweep(): void {
    const { store, isOver, fail } = this.#ports;
    const run = async (): Promise<void> => {
      while (!isOver() && (await store.sweep())) await this.#pause();
    };
    this.#sweeping = this.#sweeping.then(run).catch((error: unknown) => {
      if (!(error instanceof DiskFullError)) fail(error);
    });
  }

  /** How many parts of an offered snapshot are here already. */
  async begin(head: SnapshotHead): Promise<number> {
    this.#receiving = true;
    await this.#taking;
    const staged = await this.#ports.store.staged();
    return staged?.name === nameOf(head) ? staged.parts : 0;
  }

  /** Keeps the next part. @returns false when it does not continue what is here: all is to be fetched again */
  async keep(head: SnapshotHead, number: number, part: SnapshotPart): Promise<boolean> {
    const { store } = this.#ports;
    const [before] = number === 0 ? [] : await store.readParts("staged", number - 1, 1);
    const isNext = number === 0 || (before !== undefined && (await this.begin(head)) === number);
    if (!isNext || !continues(head, before?.checksum, part)) {
      await store.unstage();
      return false;
    }
    await store.stage(nameOf(head), number, [part]);
    return true;
  }

  /** The pieces of a snapshot of which all parts were kept. What is damaged is fetched again. */
  async received(head: SnapshotHead): Promise<Pieces> {
    const { store, logger } = this.#ports;
    try {
      return await load(store, "staged", head);
    } catch (cause) {
      logger.error("received snapshot is damaged", { index: head.index, cause });
      await store.unstage();
      throw new ProtocolError("the received snapshot is damaged");
    }
  }

  /** The conversation with the leader is over. What is here stays for the next one. */
  end(): void {
    this.#receiving = false;
  }

  async stopped(): Promise<void> {
    await this.#taking;
    await this.#sweeping;
  }

  #isDue(): boolean {
    const { entries, bytes } = this.#ports.rules;
    const due = Math.max(this.#entries / entries, this.#bytes / bytes);
    const worth = this.#size === 0 ? Infinity : (LARGER * this.#bytes) / this.#size;
    return Math.min(due, worth) >= this.#share * (this.#pins > 0 ? PATIENCE : 1);
  }

  #start(): void {
    this.#taking = this.#take()
      .catch((error: unknown) => this.#onFailure(error))
      .finally(() => {
        this.#taking = undefined;
      });
  }

  async #take(): Promise<void> {
    const { capture, install, logger, markAt, rules, isOver } = this.#ports;
    const captured = capture();
    if (captured === undefined) return;
    const [entries, bytes] = [this.#entries, this.#bytes];
    const { at } = captured;
    const { parts, digest, size } = await this.#stage(captured);
    if (this.#isCancelled()) return;
    const head = { index: at.index, term: at.term, checksum: at.checksum, parts, digest };
    await install(head, await markAt(at.index - rules.trail));
    const since = [this.#entries - entries, this.#bytes - bytes] as const;
    this.known(size);
    [this.#entries, this.#bytes] = since;
    logger.info("snapshot taken", { index: at.index, parts, bytes: size });
    if (!isOver()) this.sweep();
  }

  /** Makes the parts in short turns. What is staged belongs to this peer's own work until the end. */
  async #stage({ at, parts }: Captured): Promise<{ parts: number; digest: Uint8Array; size: number }> {
    const { store, clock } = this.#ports;
    const name = `own ${at.index}`;
    let [staged, size, digest] = [0, 0, new Uint8Array()];
    let turn: SnapshotPart[] = [];
    let from = clock.monotonic();
    const write = async (): Promise<void> => {
      await store.stage(name, staged, turn);
      staged += turn.length;
      turn = [];
      await this.#pause();
      from = clock.monotonic();
    };
    for (const part of parts) {
      if (this.#isCancelled()) break;
      turn.push(part);
      size += part.bytes.length;
      digest = part.checksum.slice();
      if (turn.length === TURN_PARTS || clock.monotonic() - from >= TURN_MS) await write();
    }
    if (turn.length > 0) await write();
    return { parts: staged, digest, size };
  }

  async #pause(): Promise<void> {
    const { clock, stopping } = this.#ports;
    await clock.sleep(PAUSE_MS, { signal: stopping }).catch(() => undefined);
  }

  #isCancelled(): boolean {
    return this.#receiving || this.#ports.isOver();
  }

  /** Without a snapshot the log only grows: that is told, and no reason to stop. */
  async #onFailure(error: unknown): Promise<void> {
    const { store, logger, isOver, fail } = this.#ports;
    if (isOver()) return;
    this.#share += RETRY_PART;
    logger.error("snapshot could not be taken", { cause: error });
    try {
      await store.unstage();
    } catch (cause) {
      if (!(cause instanceof DiskFullError)) fail(cause);
    }
  }
}

function nameOf({ digest }: SnapshotHead): string {
  return Buffer.from(digest).toString("hex");
}
