import { createHash } from "node:crypto";

/** Remembers the latest results for bytes: the same entry is asked for by machine, follower and audit. */
export class Recent<T> {
  readonly #results = new Map<string, T>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(key: string): T | undefined {
    return this.#results.get(key);
  }

  set(key: string, result: T): T {
    const [oldest] = this.#results.size < this.#limit ? [] : this.#results.keys();
    if (oldest !== undefined) this.#results.delete(oldest);
    this.#results.set(key, result);
    return result;
  }
}

/** Names bytes and what they are read for: nobody finds others with the same name. */
export function nameOf(bytes: Uint8Array, purpose: string): string {
  return `${createHash("sha256").update(bytes).digest("base64")} ${purpose}`;
}
