import { type Clock, equalBytes, InvalidInputError } from "@chorus/kernel";
import type { Leadership } from "./contract.ts";
import { DiskFullError, NoLeaderError, OutcomeUnknownError, SeveralVotersError } from "./errors.ts";
import type { Log } from "./log.ts";

/** Entries of one disk write. */
const MAX_BATCH = 256;

/** Where and how safely a proposal is kept. */
export interface Kept {
  readonly index: number;
  readonly replicas: number;
}

interface AppenderPorts {
  readonly log: Log<unknown, unknown>;
  readonly leadership: Leadership;
  readonly clock: Clock;
  readonly windowMs: number;
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

  constructor(ports: AppenderPorts) {
    this.#ports = ports;
  }

  /** @throws NoLeaderError, DiskFullError: nothing was kept; OutcomeUnknownError: the disk failed in between */
  async submit(id: string, command: Uint8Array): Promise<Kept> {
    const known = this.#ports.log.outcome(id);
    if (known !== undefined) {
      await this.#assertSame(known.index, command);
      return { index: known.index, replicas: await this.#ports.replicate(known.index) };
    }
    const twin = this.#underWay.get(id);
    if (twin !== undefined) {
      if (!equalBytes(twin.command, command))
        throw new InvalidInputError("id", "was used for another command");
      return twin.kept;
    }
    const kept = new Promise<Kept>((resolve, reject) => {
      this.#queue.push({ id, command, resolve, reject });
    });
    this.#underWay.set(id, { command, kept });
    if (!this.#busy) void this.#run();
    try {
      return await kept;
    } finally {
      this.#underWay.delete(id);
    }
  }

  async #run(): Promise<void> {
    const { clock, windowMs } = this.#ports;
    this.#busy = true;
    await Promise.resolve();
    while (this.#queue.length > 0) {
      if (windowMs > 0) await clock.sleep(windowMs);
      const batch = this.#queue.slice(0, MAX_BATCH);
      this.#queue = this.#queue.slice(MAX_BATCH);
      await this.#write(batch);
    }
    this.#busy = false;
  }

  async #write(batch: readonly Item[]): Promise<void> {
    const { log, replicate } = this.#ports;
    const { failure } = log;
    try {
      const outcomes = await log.append(batch, this.#term());
      const replicas = replicate(log.applied.index);
      for (const [i, { resolve }] of batch.entries()) {
        const index = outcomes[i]?.index ?? 0;
        void replicas.then((count) => resolve({ index, replicas: count }));
      }
    } catch (error) {
      const nothingKept =
        failure !== undefined ||
        error instanceof NoLeaderError ||
        error instanceof DiskFullError ||
        error instanceof SeveralVotersError;
      for (const { id, reject } of batch) reject(nothingKept ? error : new OutcomeUnknownError(id, error));
    }
  }

  /** The term to append in. @throws NoLeaderError when this peer may not append now */
  #term(): number {
    const { leadership } = this.#ports;
    const term = leadership.admin()?.term;
    if (!leadership.isAdmin() || term === undefined) throw new NoLeaderError("the lead was lost");
    const voters = leadership.config?.()?.voters.length ?? 1;
    if (voters > 1) throw new SeveralVotersError(voters);
    return term;
  }

  async #assertSame(index: number, command: Uint8Array): Promise<void> {
    const before = await this.#ports.log.positionAt(index - 1);
    const [entry] = before === undefined ? [] : await this.#ports.log.read(before, 1);
    if (entry === undefined || !equalBytes(entry.command, command))
      throw new InvalidInputError("id", "was used for another command");
  }
}
