/** Who is measured. */
export type Kind = "chorus" | "graphile" | "restate" | "bullmq" | "jetstream";

/** What a process is told when it starts. */
export interface Setup {
  readonly kind: Kind;
  /** Where the servers are, or for CHORUS the addresses of peers to join. */
  readonly servers: readonly string[];
  /** Of this process alone; it may keep things there. */
  readonly folder: string;
  /** Tasks that this process runs at once. */
  readonly capacity: number;
  /** Members that found the mesh, or copies that a server is to keep. */
  readonly copies: number;
  /** A peer that works and keeps the ledger and has no vote. @default false */
  readonly isObserver?: boolean;
  /** The settings that make the system quickest, where they differ from its defaults. @default false */
  readonly isTuned?: boolean;
}

/** One process's way to submit tasks and to run them. */
export interface Queue {
  /** Where others join through this process, or a server reaches it. */
  readonly address?: string;
  /** Resolves when tasks can be taken. */
  ready(): Promise<void>;
  /** Submits a task that does nothing; resolves when its completion is kept for good and this process knows it. */
  finish(key: string): Promise<void>;
  /** Submits a task whose run never ends. */
  hold(key: string): Promise<void>;
  /** Submits a task; resolves when the submission is kept for good, whether it has run or not. */
  commit?(key: string): Promise<void>;
  /** True when this process leads, where one does. */
  leads?(): boolean;
}

/** @param onHeld told the key of a held task in the process that begins to run it */
export type OpenQueue = (setup: Setup, onHeld: OnHeld) => Promise<Queue>;

export type OnHeld = (key: string) => void;

/** Completions by name, whichever comes first: the one who waits or the news. */
export class Completions {
  readonly #known = new Map<string, PromiseWithResolvers<void>>();

  settle(name: string): void {
    this.#of(name).resolve();
  }

  async of(name: string): Promise<void> {
    await this.#of(name).promise;
    this.#known.delete(name);
  }

  #of(name: string): PromiseWithResolvers<void> {
    const known = this.#known.get(name) ?? Promise.withResolvers<void>();
    this.#known.set(name, known);
    return known;
  }
}

/** A run that never ends, unless it is told to. */
export function forever(signal?: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
