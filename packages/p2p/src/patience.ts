import type { Clock } from "@chorus/kernel";
import { StreamLostError } from "./errors.ts";
import type { HeldStream } from "./peer-stream.ts";

/** Who opened a stream has something to say. */
const FIRST_FRAME_MS = 30_000;
/** For the largest frame 26 KB/s; for an end that only waits to be acknowledged, ages. */
const REST_MS = 60_000;
const LOOK_MS = 5_000;

interface Debt {
  owed: string;
  since: number;
}

/**
 * Ends streams whose opener keeps us waiting: who opens streams and says nothing, or a byte now and then, or
 * takes no answer, would hold them, and what waits in them, for ever. A pause between whole frames may last.
 */
export class Patience {
  readonly #clock: Clock;
  readonly #debts = new Map<HeldStream, Debt | undefined>();
  readonly #stop = new AbortController();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#look().catch(() => undefined);
  }

  watch(stream: HeldStream): void {
    this.#debts.set(stream, undefined);
  }

  forget(stream: HeldStream): void {
    this.#debts.delete(stream);
  }

  close(): void {
    this.#stop.abort();
    this.#debts.clear();
  }

  async #look(): Promise<never> {
    for (;;) {
      await this.#clock.sleep(LOOK_MS, { signal: this.#stop.signal });
      this.#judgeAll();
    }
  }

  /** Apart: while it sleeps, the loop above would hold the last stream it saw, and by it all of its connection. */
  #judgeAll(): void {
    const now = this.#clock.monotonic();
    for (const [stream, debt] of this.#debts) this.#judge(stream, debt, now);
  }

  #judge(stream: HeldStream, debt: Debt | undefined, now: number): void {
    const owed = stream.owed();
    if (owed === undefined || owed !== debt?.owed)
      this.#debts.set(stream, owed === undefined ? undefined : { owed, since: now });
    else if (now - debt.since >= (owed === "first frame" ? FIRST_FRAME_MS : REST_MS)) {
      this.#debts.delete(stream);
      stream.abort(new StreamLostError(`the other side still owes us ${owed}`));
    }
  }
}
