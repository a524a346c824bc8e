import type { Clock } from "@chorus/kernel";
import type { Stream } from "@libp2p/interface";
import { limits } from "./limits.ts";

/**
 * One direction of a relayed connection. libp2p's relay reads as fast as one side sends and queues without bound
 * for the other; here the sender waits for the reader, and for the pace.
 */
export function holdBack(from: Stream, to: Stream, clock: Clock): void {
  const send = to.send.bind(to);
  let flow: Flow | undefined;
  to.send = (data) => {
    // Not before: a listener that comes ahead of the relay's own would take the first data from it.
    flow ??= new Flow(from, clock);
    flow.passed(data.byteLength);
    return send(data);
  };
}

class Flow {
  readonly #from: Stream;
  readonly #clock: Clock;
  readonly #ended = new AbortController();
  /** Read and not yet handed on. */
  #backlog = 0;
  #allowance: number = limits.relayedBurstBytes;
  #at: number;
  #tooFast = false;

  constructor(from: Stream, clock: Clock) {
    this.#from = from;
    this.#clock = clock;
    this.#at = clock.monotonic();
    from.addEventListener("message", ({ data }) => this.#came(data.byteLength));
    from.addEventListener("close", () => this.#ended.abort());
  }

  passed(bytes: number): void {
    this.#backlog = Math.max(0, this.#backlog - bytes);
    this.#steer();
  }

  #came(bytes: number): void {
    this.#backlog += bytes;
    const now = this.#clock.monotonic();
    const grown = ((now - this.#at) / 1_000) * limits.relayedBytesPerSecond;
    this.#allowance = Math.min(limits.relayedBurstBytes, this.#allowance + grown) - bytes;
    this.#at = now;
    if (this.#allowance < 0 && !this.#tooFast)
      this.#wait((-this.#allowance / limits.relayedBytesPerSecond) * 1_000);
    this.#steer();
  }

  #wait(ms: number): void {
    this.#tooFast = true;
    this.#clock.sleep(ms, this.#ended).then(
      () => {
        this.#tooFast = false;
        this.#steer();
      },
      () => undefined,
    );
  }

  #steer(): void {
    const { readStatus } = this.#from;
    const hold = this.#tooFast || this.#backlog > limits.relayedBacklogBytes;
    if (hold && readStatus === "readable") this.#from.pause();
    else if (!hold && readStatus === "paused") this.#from.resume();
  }
}
