import type { PeerId } from "@chorus/kernel";
import type { Leadership } from "./contract.ts";

/** One stretch of time under one leader, or under none. */
export interface Epoch {
  /** The admin to follow; undefined when there is none, or it is this peer. */
  readonly admin: { readonly peer: PeerId; readonly term: number } | undefined;
  /** True when this peer leads. */
  readonly leading: boolean;
  /** Fires when it is over. */
  readonly over: AbortSignal;
}

/** Cuts leadership into epochs. */
export class Epochs {
  readonly #leadership: Leadership;
  readonly #onChange: (isNew: boolean) => void;
  #ending = new AbortController();
  #seen: Epoch["admin"];
  #current: Epoch;

  /** @param onChange told whether an epoch has begun, or something else may have changed */
  constructor(leadership: Leadership, onChange: (isNew: boolean) => void) {
    this.#leadership = leadership;
    this.#onChange = onChange;
    this.#current = this.#read();
  }

  get current(): Epoch {
    return this.#current;
  }

  /** Follows leadership until the signal fires; the last epoch ends with it. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener("abort", () => this.#ending.abort(new Error("ledger closed")));
    for await (const _ of this.#leadership.changes({ signal })) this.#turn();
  }

  #turn(): void {
    const [before, now] = [this.#seen, this.#leadership.admin()];
    const same =
      this.#current.leading === this.#leadership.isAdmin() &&
      before?.peer === now?.peer &&
      before?.term === now?.term;
    if (same) {
      this.#onChange(false);
      return;
    }
    this.#ending.abort(new Error("leadership changed"));
    this.#ending = new AbortController();
    this.#current = this.#read();
    this.#onChange(true);
  }

  #read(): Epoch {
    const leading = this.#leadership.isAdmin();
    this.#seen = this.#leadership.admin();
    return { leading, admin: leading ? undefined : this.#seen, over: this.#ending.signal };
  }
}
