import { equalBytes, errorCode, type Logger, type PeerId, type PeerStream } from "@chorus/kernel";
import type { Position } from "./chain.ts";
import type { Leadership, StoredEntry } from "./contract.ts";
import { ProtocolError } from "./errors.ts";
import type { Log } from "./log.ts";
import { encodeResponse, FRAME_BYTES, parseRequest, type Request, type Response } from "./wire.ts";

const CHUNK = 256;
/** Proposals of one learner that may be under way; its next ones wait in its stream. */
const MAX_PROPOSALS = 1024;

/** Appends a learner's proposal. */
export type Submit = (
  id: string,
  command: Uint8Array,
) => Promise<{ readonly index: number; readonly replicas: number }>;

interface FeedPorts {
  readonly log: Pick<Log<unknown, unknown>, "applied" | "failure" | "positionAt" | "read" | "changed">;
  readonly leadership: Leadership;
  readonly logger: Logger;
  readonly submit: Submit;
}

/** The admin's side: keeps learners up to date and counts their copies. */
export class Feed {
  readonly #ports: FeedPorts;
  /** One for each learner: an older stream of the same peer is a ghost, and no second copy. */
  readonly #sessions = new Map<PeerId, Session>();
  readonly #waiting = new Set<() => void>();

  constructor(ports: FeedPorts) {
    this.#ports = ports;
  }

  /** Learners that are being fed. */
  get learners(): number {
    return this.#sessions.size;
  }

  /** Disks that are known to hold an index, this one included. */
  replicas(index: number): number {
    return 1 + [...this.#sessions.values()].filter(({ durable }) => durable >= index).length;
  }

  /** Resolves when more copies may be known. */
  changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        signal.removeEventListener("abort", done);
        this.#waiting.delete(done);
        resolve();
      };
      this.#waiting.add(done);
      signal.addEventListener("abort", done);
    });
  }

  /** Serves one learner until either side ends. */
  async serve(stream: PeerStream): Promise<void> {
    const { leadership, log } = this.#ports;
    if (!leadership.isAdmin() || log.failure !== undefined) {
      const code = errorCode(log.failure) ?? "ledger/no-leader";
      await stream.send(encodeResponse({ kind: "refused", code }));
      await stream.close();
      return;
    }
    const session = new Session(stream, this.#ports, () => this.#wake());
    this.#sessions.get(stream.peer)?.end(new Error("the learner came again"));
    this.#sessions.set(stream.peer, session);
    try {
      await session.run();
    } finally {
      if (this.#sessions.get(stream.peer) === session) this.#sessions.delete(stream.peer);
      this.#wake();
    }
  }

  /** Ends all sessions, for example when the lead is lost. */
  stop(reason: Error): void {
    for (const session of this.#sessions.values()) session.end(reason);
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
  }
}

class Session {
  /** The learner has all entries up to here on its disk. */
  durable = 0;
  readonly #stream: PeerStream;
  readonly #ports: FeedPorts;
  readonly #onDurable: () => void;
  readonly #ended = new AbortController();
  #pumping: Promise<void> | undefined;
  #sent: Promise<void> = Promise.resolve();
  #proposals = 0;
  #onAnswered: (() => void) | undefined;

  constructor(stream: PeerStream, ports: FeedPorts, onDurable: () => void) {
    this.#stream = stream;
    this.#ports = ports;
    this.#onDurable = onDurable;
  }

  async run(): Promise<void> {
    try {
      for await (const frame of this.#stream.frames) await this.#handle(parseRequest(frame));
      await this.#stream.close();
    } finally {
      this.#ended.abort();
      await this.#pumping;
    }
  }

  end(reason: Error): void {
    this.#ended.abort();
    this.#stream.abort(reason);
  }

  async #handle(request: Request): Promise<void> {
    if (request.kind === "follow") await this.#follow(request);
    else if (request.kind === "ack") this.#acknowledge(request.index);
    else await this.#propose(request.id, request.command);
  }

  async #follow(request: Request & { kind: "follow" }): Promise<void> {
    if (this.#pumping !== undefined) throw new ProtocolError("follow was asked for twice");
    const { last, lastChecksum, committed, committedChecksum } = request;
    const at = await this.#match(last, lastChecksum);
    if (at !== undefined) {
      this.#acknowledge(at.index);
      this.#pumping = this.#pump(at).catch((error: unknown) =>
        this.end(error instanceof Error ? error : new ProtocolError("feeding failed")),
      );
      return;
    }
    const shared = committed < last ? await this.#match(committed, committedChecksum) : undefined;
    if (shared === undefined)
      this.#ports.logger.error("learner holds committed entries that this log does not have", {
        peer: this.#stream.peer,
        theirs: committed,
        own: this.#ports.log.applied.index,
      });
    await this.#send({ kind: shared === undefined ? "diverged" : "rewind" });
  }

  async #match(index: number, checksum: Uint8Array): Promise<Position | undefined> {
    const own = await this.#ports.log.positionAt(index);
    return own !== undefined && equalBytes(own.checksum, checksum) ? own : undefined;
  }

  #acknowledge(index: number): void {
    this.durable = Math.max(this.durable, Math.min(index, this.#ports.log.applied.index));
    this.#onDurable();
  }

  async #propose(id: string, command: Uint8Array): Promise<void> {
    this.#proposals++;
    void this.#answer(id, command).finally(() => {
      this.#proposals--;
      this.#onAnswered?.();
    });
    while (this.#proposals >= MAX_PROPOSALS)
      await new Promise<void>((resolve) => {
        this.#onAnswered = resolve;
      });
  }

  async #answer(id: string, command: Uint8Array): Promise<void> {
    try {
      const { index, replicas } = await this.#ports.submit(id, command);
      await this.#send({ kind: "committed", id, index, replicas });
    } catch (error) {
      const retryable = error instanceof Error && "retryable" in error && error.retryable === true;
      const code = errorCode(error) ?? "ledger/outcome-unknown";
      await this.#send({ kind: "rejected", id, code, retryable }).catch(() => undefined);
    }
  }

  async #pump(from: Position): Promise<void> {
    const { log } = this.#ports;
    let at = from;
    await this.#sendEntries([]);
    while (!this.#ended.signal.aborted) {
      if (log.failure !== undefined) throw log.failure;
      if (log.applied.index <= at.index) {
        await log.changed(this.#ended.signal);
        continue;
      }
      const entries = await log.read(at, CHUNK);
      for (const part of parts(entries)) await this.#sendEntries(part);
      at = entries.at(-1) ?? at;
    }
  }

  #sendEntries(entries: readonly StoredEntry[]): Promise<void> {
    const term = this.#ports.leadership.admin()?.term;
    if (term === undefined) throw new ProtocolError("the lead was lost");
    return this.#send({ kind: "entries", term, committed: this.#ports.log.applied.index, entries });
  }

  /** One frame at a time, so that the stream's backpressure holds for all of them. */
  #send(response: Response): Promise<void> {
    const sent = this.#sent.then(() => this.#stream.send(encodeResponse(response)));
    this.#sent = sent.catch(() => undefined);
    return sent;
  }
}

/** Cuts entries into frames. */
function parts(entries: readonly StoredEntry[]): readonly (readonly StoredEntry[])[] {
  const frames: StoredEntry[][] = [];
  let bytes = Infinity;
  for (const entry of entries) {
    const size = entry.command.length + 200;
    if (bytes + size > FRAME_BYTES) {
      frames.push([]);
      bytes = 0;
    }
    frames.at(-1)?.push(entry);
    bytes += size;
  }
  return frames;
}
