import type { Host } from "@chorus/sim";
import type { Asked, Told } from "./target-book.ts";
import type { Wire } from "./wire.ts";

const TIMEOUT_MS = 1500;

/** This peer's calls to the outside; an answer may be lost, late, or never given. */
export class TargetCalls {
  readonly #host: Host<Wire>;
  readonly #process: number;
  readonly #waiting = new Map<string, (told: Told | undefined) => void>();
  #number = 0;

  constructor(host: Host<Wire>) {
    this.#host = host;
    this.#process = Math.floor(host.random() * 2 ** 31);
  }

  /** @param done told undefined when no answer came in time */
  ask(asked: Asked, done: (told: Told | undefined) => void): void {
    const call = `${this.#host.self}.${this.#process.toString(36)}.${++this.#number}`;
    this.#waiting.set(call, done);
    this.#host.send(this.#host.nodes - 1, { via: "target", message: { kind: "ask", call, asked } });
    this.#host.after(TIMEOUT_MS, () => this.#answer(call, undefined));
  }

  onAnswer(call: string, told: Told): void {
    this.#answer(call, told);
  }

  #answer(call: string, told: Told | undefined): void {
    const done = this.#waiting.get(call);
    this.#waiting.delete(call);
    done?.(told);
  }
}
