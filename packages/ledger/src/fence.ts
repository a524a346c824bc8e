import type { LogStore } from "./contract.ts";
import { CorruptError, DiskFullError } from "./errors.ts";

interface FencePorts {
  readonly store: LogStore;
  /** The founding in force, undefined while none is known. */
  readonly founding: () => string | undefined;
  /** Makes the log read-only. */
  readonly fail: (error: unknown) => Error;
}

/** Terms count within one founding of the mesh: two logs of different ones have nothing to say to each other. */
export class Fence {
  readonly #ports: FencePorts;
  #known: string | undefined;

  constructor(ports: FencePorts) {
    this.#ports = ports;
  }

  /**
   * A log belongs to the first founding that it is used in. Asked before each step.
   * @throws CorruptError when that is another one, DiskFullError
   */
  async pass(): Promise<void> {
    const { founding, fail } = this.#ports;
    const now = founding();
    if (now === undefined || now === this.#known) return;
    try {
      await this.#adopt(now);
    } catch (error) {
      throw error instanceof DiskFullError ? error : fail(error);
    }
    this.#known = now;
  }

  async #adopt(now: string): Promise<void> {
    const { store } = this.#ports;
    const own = await store.founding();
    if (own === undefined) await store.adopt(now);
    else if (own !== now)
      throw new CorruptError("the log belongs to another founding of the mesh", await store.last());
  }
}
