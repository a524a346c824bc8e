import { type Clock, equalBytes, errorCode, InvalidInputError } from "@chorus/kernel";
import { digestOf } from "./applied.ts";
import { Bell } from "./bell.ts";
import { DiskFullError, NoLeaderError, OutcomeUnknownError, RefusedError } from "./errors.ts";
import type { Lead } from "./lead.ts";
import type { Log } from "./log.ts";

/** Entries of one disk write. */
const MAX_BATCH = 256;
/** Entries that may wait for their quorum: without one, what is proposed waits in memory and not on the disk. */
const MAX_UNCOMMITTED = 2048;

const GATHERED = new Error("gathered");

/** Where and how safely a proposal is kept. */
export interface Kept {
  readonly index: number;
  readonly replicas: number;
}

interface AppenderPorts {
  readonly log: Log<unknown, unknown>;
  readonly lead: Lead;
  readonly clock: Clock;
  readonly windowMs: number;
  readonly admit: ((command: Uint8Array) => Promise<void>) | undefined;
  /** Waits a bounded time for copies of an index. */
  readonly replicate: (index: number) => Promise<number>;
}

interface Item {
  readonly id: string;
  readonly command: Uint8Array;
  readonly resolve: (kept: Kept) => void;
  readonly reject: (error: unknown) => void;
}

/** The admin's writer: many proposals share one disk write, and each id is written once. */
export class Appender {
  readonly #ports: AppenderPorts;
  readonly #underWay = new Map<string, { readonly command: Uint8Array; readonly kept: Promise<Kept> }>();
  #queue: Item[] = [];
  #busy = false;
  #admitting: Promise<unknown> = Promise.resolve();
  /** Batches that are written and wait for their quorum. */
  #open = 0;
  readonly #settled = new Bell();

  constructor(ports: AppenderPorts) {
    this.#ports = ports;
  }

  /**
   * Resolves when a quorum has it.
   * @throws NoLeaderError, DiskFullError, RefusedError: nothing was kept; OutcomeUnknownError: the disk failed in between, or the
   * lead was lost before a quorum had it
   */
  async submit(id: string, command: Uint8Array): Promise<Kept> {
    const known = this.#ports.log.outcome(id);
    if (known !== undefined) {
      assertSame(known.digest, command);
      return { index: known.index, replicas: await this.#ports.replicate(known.index) };
    }
    const twin = this.#underWay.get(id);
    if (twin !== undefined) {
      if (!equalBytes(twin.command, command))
        throw new InvalidInputError("id", "was used for another command");
      return twin.kept;
    }
    const kept = this.#ports.admit === undefined ? this.#enqueue(id, command) : this.#admitted(id, command);
    this.#underWay.set(id, { command, kept });
    try {
      return await kept;
    } finally {
      this.#underWay.delete(id);
    }
  }

  #enqueue(id: string, command: Uint8Array): Promise<Kept> {
    const kept = new Promise<Kept>((resolve, reject) => {
      this.#queue.push({ id, command, resolve, reject });
    });
    if (!this.#busy) void this.#run();
    return kept;
  }

  /** Commands are looked at side by side and queued in the order in which they came. */
  async #admitted(id: string, command: Uint8Array): Promise<Kept> {
    const before = this.#admitting;
    const turn = Promise.withResolvers<void>();
    this.#admitting = turn.promise;
    const verdict = Promise.resolve(command).then(this.#ports.admit);
    await Promise.allSettled([before, verdict]);
    try {
      await verdict;
      return this.#enqueue(id, command);
    } catch (cause) {
      throw new RefusedError(errorCode(cause) ?? "not admitted", cause);
    } finally {
      turn.resolve();
    }
  }

  async #run(): Promise<void> {
    const { windowMs } = this.#ports;
    this.#busy = true;
    await Promise.resolve();
    while (this.#queue.length > 0) {
      if (windowMs > 0 && this.#open > 0) await this.#gather(windowMs);
      const batch = this.#queue.slice(0, MAX_BATCH);
      this.#queue = this.#queue.slice(MAX_BATCH);
      await this.#write(batch);
    }
    this.#busy = false;
  }

  /** While a batch waits for its quorum the next one grows: each costs a flush on every disk, however small it is. */
  async #gather(windowMs: number): Promise<void> {
    const ended = new AbortController();
    const late = this.#ports.clock.sleep(windowMs, { signal: ended.signal }).catch(() => undefined);
    await Promise.race([late, this.#settled.rung(ended.signal)]);
    ended.abort(GATHERED);
  }

  /** Resolves when the batch is on this disk; the quorum's answer comes while the next one is gathered. */
  async #write(batch: readonly Item[]): Promise<void> {
    const { log, lead } = this.#ports;
    const { failure } = log;
    try {
      const term = await this.#room(await lead.take());
      const first = log.last.index + 1;
      const indexes = await log.append(batch, term);
      this.#open++;
      void this.#settle(batch, { indexes, term, first });
    } catch (error) {
      const nothingKept =
        failure !== undefined ||
        error instanceof NoLeaderError ||
        error instanceof DiskFullError ||
        error instanceof InvalidInputError;
      for (const { id, reject } of batch) reject(nothingKept ? error : new OutcomeUnknownError(id, error));
    }
  }

  async #room(term: number): Promise<number> {
    const { log } = this.#ports;
    while (log.leads(term) && log.uncommitted >= MAX_UNCOMMITTED) await log.changed();
    return term;
  }

  async #settle(
    batch: readonly Item[],
    { indexes, term, first }: { indexes: readonly number[]; term: number; first: number },
  ): Promise<void> {
    const { log, replicate } = this.#ports;
    const last = Math.max(...indexes);
    while (log.leads(term) && log.applied.index < last) await log.changed();
    this.#open--;
    this.#settled.ring();
    const replicas = replicate(last);
    for (const { id, command, resolve, reject } of batch) {
      const outcome = log.outcome(id);
      if (outcome === undefined) reject(new OutcomeUnknownError(id, log.failure));
      else
        void replicas
          .then((count) => {
            if (outcome.index < first) assertSame(outcome.digest, command);
            return { index: outcome.index, replicas: count };
          })
          .then(resolve, reject);
    }
  }
}

/** A name stands for one command. The entry of the first one may be gone, its digest is not. */
function assertSame(digest: Uint8Array, command: Uint8Array): void {
  if (!equalBytes(digest, digestOf(command)))
    throw new InvalidInputError("id", "was used for another command");
}
