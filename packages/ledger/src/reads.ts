/** Asks the admin for an index; the answer comes by {@link Reads.onReadable}. */
type SendRead = (number: number) => Promise<void>;

interface ReadsPorts {
  /** Answers here, when this peer leads. */
  readonly readHere: (signal: AbortSignal) => Promise<number> | undefined;
}

/** Reads of this peer that wait for an index of the admin, wherever the lead goes meanwhile. */
export class Reads {
  readonly #ports: ReadsPorts;
  readonly #pending = new Map<
    number,
    { readonly signal: AbortSignal; readonly resolve: (index: number) => void }
  >();
  #number = 0;
  #send: SendRead | undefined;

  constructor(ports: ReadsPorts) {
    this.#ports = ports;
  }

  /** @throws signal.reason */
  async index(signal: AbortSignal): Promise<number> {
    signal.throwIfAborted();
    const number = ++this.#number;
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const abort = (): void => reject(signal.reason);
    signal.addEventListener("abort", abort);
    this.#pending.set(number, { signal, resolve });
    this.#dispatch(number);
    try {
      return await promise;
    } finally {
      signal.removeEventListener("abort", abort);
      this.#pending.delete(number);
    }
  }

  /** A session with the admin is open. */
  attach(send: SendRead): void {
    if (this.#send !== undefined) return;
    this.#send = send;
    this.retry();
  }

  detach(): void {
    this.#send = undefined;
  }

  /** Asks once more for all that wait. An earlier question that is answered late does no harm. */
  retry(): void {
    for (const number of this.#pending.keys()) this.#dispatch(number);
  }

  onReadable(number: number, index: number): void {
    this.#pending.get(number)?.resolve(index);
  }

  #dispatch(number: number): void {
    const pending = this.#pending.get(number);
    const here = pending === undefined ? undefined : this.#ports.readHere(pending.signal);
    // Where the lead or the stream is lost, the next one asks again.
    if (here !== undefined)
      here.then(
        (index) => this.onReadable(number, index),
        () => undefined,
      );
    else this.#send?.(number).catch(() => undefined);
  }
}
