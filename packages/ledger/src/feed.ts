import { equalBytes, errorCode, type Logger, type PeerId, type PeerStream } from "@chorus/kernel";
import { Bell } from "./bell.ts";
import type { Position } from "./chain.ts";
import type { StoredEntry } from "./contract.ts";
import { ProtocolError, RefusedError, TruncatedError } from "./errors.ts";
import type { Lead } from "./lead.ts";
import type { Log } from "./log.ts";
import { BURST, encodeResponse, FRAME_BYTES, parseRequest, type Request, type Response } from "./wire.ts";

const CHUNK = 256;
/** Requests of one follower that may be under way; its next ones wait in its stream. */
const MAX_REQUESTS = 1024;

/** Appends a follower's proposal. */
export type Submit = (
  id: string,
  command: Uint8Array,
) => Promise<{ readonly index: number; readonly replicas: number }>;

interface FeedPorts {
  readonly log: Pick<
    Log<unknown, unknown>,
    "applied" | "last" | "leads" | "failure" | "positionAt" | "readAll" | "changed" | "history" | "transfers"
  >;
  readonly lead: Pick<Lead, "take" | "copied" | "readIndex">;
  readonly logger: Logger;
  readonly submit: Submit;
}

/** The admin's side: keeps voters and learners up to date and counts their copies. */
export class Feed {
  readonly #ports: FeedPorts;
  /** One for each follower: an older stream of the same peer is a ghost, and no second copy. */
  readonly #sessions = new Map<PeerId, Session>();
  readonly #newest = new Map<PeerId, PeerStream>();
  readonly #bell = new Bell();

  constructor(ports: FeedPorts) {
    this.#ports = ports;
  }

  /** Peers that are being fed. */
  get followers(): number {
    return this.#sessions.size;
  }

  /** Disks that are known to hold an index, this one included. */
  replicas(index: number): number {
    return 1 + [...this.#sessions.values()].filter(({ durable }) => durable >= index).length;
  }

  /** Resolves when more copies may be known. */
  changed(signal: AbortSignal): Promise<void> {
    return this.#bell.rung(signal);
  }

  /** Serves one follower until either side ends. */
  async serve(stream: PeerStream): Promise<void> {
    const { lead, log } = this.#ports;
    this.#newest.set(stream.peer, stream);
    const taken = await lead.take().catch((error: unknown) => errorCode(log.failure ?? error));
    if (this.#newest.get(stream.peer) !== stream) throw new ProtocolError("the follower came again");
    if (typeof taken !== "number" || log.failure !== undefined) {
      this.#newest.delete(stream.peer);
      const code = errorCode(log.failure) ?? "ledger/no-leader";
      await stream.send(encodeResponse({ kind: "refused", code }));
      await stream.close();
      return;
    }
    const session = new Session(stream, { ...this.#ports, term: taken }, () => this.#bell.ring());
    this.#sessions.get(stream.peer)?.end(new Error("the follower came again"));
    this.#sessions.set(stream.peer, session);
    try {
      await session.run();
    } finally {
      if (this.#sessions.get(stream.peer) === session) this.#sessions.delete(stream.peer);
      if (this.#newest.get(stream.peer) === stream) this.#newest.delete(stream.peer);
      this.#bell.ring();
    }
  }

  /** Ends all sessions, for example when the lead is lost. */
  stop(reason: Error): void {
    for (const session of this.#sessions.values()) session.end(reason);
  }
}

interface SessionPorts extends FeedPorts {
  readonly term: number;
}

class Session {
  /** The follower has all entries up to here on its disk. */
  durable = 0;
  readonly #stream: PeerStream;
  readonly #ports: SessionPorts;
  readonly #onDurable: () => void;
  readonly #ended = new AbortController();
  #pumping: Promise<void> | undefined;
  /** The logs were compared once: what is acknowledged counts. */
  #compared = false;
  #pin: Disposable | undefined;
  #sent: Promise<void> = Promise.resolve();
  #requests = 0;
  #onAnswered: (() => void) | undefined;

  constructor(stream: PeerStream, ports: SessionPorts, onDurable: () => void) {
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
      this.#unpin();
    }
  }

  end(reason: Error): void {
    this.#ended.abort();
    this.#stream.abort(reason);
  }

  async #handle(request: Request): Promise<void> {
    if (request.kind === "follow") await this.#follow(request);
    else if (request.kind === "fetch") await this.#fetch(request);
    else if (request.kind === "ack") await this.#acknowledge(request.index);
    else if (request.kind === "read") await this.#begin(this.#read(request.number));
    else await this.#begin(this.#propose(request.id, request.command));
  }

  async #follow(request: Request & { kind: "follow" }): Promise<void> {
    if (this.#pumping !== undefined) throw new ProtocolError("follow was asked for twice");
    const { last, lastChecksum, committed, committedChecksum } = request;
    const at = await this.#match(last, lastChecksum);
    if (at !== undefined) {
      this.#unpin();
      this.#compared = true;
      this.#pumping = this.#pump(at).catch((error: unknown) => this.#onPumpEnd(error));
      return;
    }
    const shared = committed < last ? await this.#match(committed, committedChecksum) : undefined;
    if (shared === undefined && committed < this.#ports.log.history.base.index) {
      await this.#offer();
      return;
    }
    if (shared === undefined)
      this.#ports.logger.error("follower holds committed entries that this log does not have", {
        peer: this.#stream.peer,
        theirs: committed,
        own: this.#ports.log.applied.index,
      });
    await this.#send({ kind: shared === undefined ? "diverged" : "rewind" });
  }

  /** The entries that the follower lacks are gone: it is offered what took their place. */
  async #onPumpEnd(error: unknown): Promise<void> {
    if (error instanceof TruncatedError) {
      this.#pumping = undefined;
      await this.#offerQuietly();
    } else this.end(error instanceof Error ? error : new ProtocolError("feeding failed"));
  }

  /** A stream that ends meanwhile is noticed elsewhere. */
  async #offerQuietly(): Promise<void> {
    try {
      await this.#offer();
    } catch {
      // Nobody is there to take it.
    }
  }

  async #offer(): Promise<void> {
    const { log } = this.#ports;
    const { head } = log.history;
    if (head === undefined) throw new ProtocolError("there is no snapshot");
    this.#pin ??= log.transfers.pin();
    const { index, term, checksum, parts, digest } = head;
    await this.#send({ kind: "snapshot", index, term, checksum, parts, digest });
  }

  async #fetch({ digest, from }: Request & { kind: "fetch" }): Promise<void> {
    if (this.#pumping !== undefined) throw new ProtocolError("a snapshot was asked for that was not offered");
    const parts = await this.#ports.log.history.parts(digest, from, BURST);
    if (parts === undefined) await this.#offer();
    for (const [i, { bytes, checksum }] of (parts ?? []).entries())
      await this.#send({ kind: "part", number: from + i, bytes, checksum });
  }

  #unpin(): void {
    this.#pin?.[Symbol.dispose]();
    this.#pin = undefined;
  }

  async #match(index: number, checksum: Uint8Array): Promise<Position | undefined> {
    const own = await this.#ports.log.positionAt(index);
    return own !== undefined && equalBytes(own.checksum, checksum) ? own : undefined;
  }

  async #acknowledge(index: number): Promise<void> {
    const { lead, log, term } = this.#ports;
    if (!this.#compared) throw new ProtocolError("acknowledged before it followed");
    this.durable = Math.max(this.durable, Math.min(index, log.last.index));
    this.#onDurable();
    await lead.copied(this.#stream.peer, term, this.durable);
  }

  /** Lets a request go on while the next frames are read, up to a limit. */
  async #begin(request: Promise<void>): Promise<void> {
    this.#requests++;
    void request.finally(() => {
      this.#requests--;
      this.#onAnswered?.();
    });
    while (this.#requests >= MAX_REQUESTS)
      await new Promise<void>((resolve) => {
        this.#onAnswered = resolve;
      });
  }

  async #read(number: number): Promise<void> {
    try {
      const index = await this.#ports.lead.readIndex(this.#ended.signal);
      await this.#send({ kind: "readable", number, index });
    } catch (error) {
      // The follower asks its next admin.
      this.#ports.logger.debug("read was not answered", { code: errorCode(error) });
    }
  }

  async #propose(id: string, command: Uint8Array): Promise<void> {
    try {
      const { index, replicas } = await this.#ports.submit(id, command);
      await this.#send({ kind: "committed", id, index, replicas });
    } catch (error) {
      const retryable = error instanceof Error && "retryable" in error && error.retryable === true;
      const code = errorCode(error) ?? "ledger/outcome-unknown";
      const reason =
        error instanceof RefusedError ? { reason: String(error.detail["reason"]).slice(0, 64) } : {};
      await this.#send({ kind: "rejected", id, code, retryable, ...reason }).catch(() => undefined);
    }
  }

  async #pump(from: Position): Promise<void> {
    const { log, term } = this.#ports;
    let at = from;
    let told = await this.#sendEntries([]);
    while (!this.#ended.signal.aborted) {
      if (log.failure !== undefined) throw log.failure;
      if (!log.leads(term)) throw new ProtocolError("the lead was lost");
      if (log.last.index > at.index) {
        const entries = await log.readAll(at, CHUNK);
        for (const part of parts(entries)) told = await this.#sendEntries(part);
        at = entries.at(-1) ?? at;
      } else if (log.applied.index > told) told = await this.#sendEntries([]);
      else await log.changed(this.#ended.signal);
    }
  }

  /** @returns the commit index that went along */
  async #sendEntries(entries: readonly StoredEntry[]): Promise<number> {
    const { log, term } = this.#ports;
    const committed = log.applied.index;
    await this.#send({ kind: "entries", term, committed, entries });
    return committed;
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
