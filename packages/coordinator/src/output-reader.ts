import type { PeerId, PeerStream } from "@chorus/kernel";
import type { TaskRecord } from "./contract-ports.ts";
import type { OutputChunk } from "./contract-task.ts";
import { OutputLostError, UnknownTaskError } from "./errors.ts";
import type { OutputPiece } from "./output-log.ts";
import type { OutputLogs } from "./output-logs.ts";
import { fetchOutput, type OutputRequest } from "./output-wire.ts";
import type { Peer } from "./peer.ts";
import { OUTPUT_PROTOCOL } from "./wire-names.ts";

const PIECE_BYTES = 65_536;
/** Pause before a worker that does not answer is asked again while its lease lives. */
const RETRY_MS = 500;

type Pieces = AsyncGenerator<OutputPiece | "complete">;

/** Reads an attempt's output at any peer: from its own log, from the stored artifact, or from the worker. */
export class OutputReader {
  readonly #peer: Peer;
  readonly #logs: OutputLogs;

  constructor(peer: Peer, logs: OutputLogs) {
    this.#peer = peer;
    this.#logs = logs;
  }

  /** @throws 'coordinator/output-lost' when nobody in reach has the rest */
  async *read(request: OutputRequest, signal: AbortSignal): AsyncGenerator<OutputChunk, void> {
    const place = { ...request };
    while (!signal.aborted) {
      const record = this.#peer.record(place.task);
      if (record === undefined) throw new UnknownTaskError(place.task);
      for await (const piece of this.#source(record, place, signal)) {
        if (piece === "complete") return;
        yield { attempt: place.attempt, ...piece };
        place.offset = piece.offset + piece.bytes.length;
      }
      if (signal.aborted) return;
      if (hasMoved(record, this.#peer.record(place.task))) continue;
      if (record.lease?.attempt !== place.attempt) throw new OutputLostError(place.task, place.attempt);
      await this.#peer.components.clock.sleep(RETRY_MS, { signal });
    }
  }

  /** Pieces from the best source there is now; without `complete` at the end, there may be more elsewhere. */
  async *#source(record: TaskRecord, request: OutputRequest, signal: AbortSignal): Pieces {
    const log = this.#logs.get(request.task, request.attempt);
    if (log !== undefined) {
      yield* log.read(request.offset, signal);
      if (!signal.aborted) yield "complete";
      return;
    }
    const stored = record.attempt === request.attempt ? await this.#stored(record, signal) : undefined;
    if (stored !== undefined) {
      yield* piecesOf(stored, request.offset);
      return;
    }
    const holder = record.holders[request.attempt - 1];
    if (holder !== undefined && holder !== this.#peer.components.signer.peer)
      yield* this.#remote(holder, request, signal);
  }

  async #stored({ result }: TaskRecord, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const artifact = result?.artifacts.find(({ path }) => path === "output.log");
    return artifact === undefined ? undefined : this.#peer.components.storage.get(artifact.cid, { signal });
  }

  async *#remote(holder: PeerId, request: OutputRequest, signal: AbortSignal): Pieces {
    const { streams, logger } = this.#peer.components;
    let stream: PeerStream | undefined;
    try {
      stream = await streams.open(holder, OUTPUT_PROTOCOL, { signal });
      yield* fetchOutput(stream, request);
    } catch (error) {
      if (!signal.aborted) logger.debug("output stream broke", { task: request.task, holder, error });
    } finally {
      stream?.abort(new Error("output is no longer read"));
    }
  }
}

function* piecesOf(bytes: Uint8Array, offset: number): Generator<OutputPiece | "complete"> {
  for (let at = offset; at < bytes.length; at += PIECE_BYTES)
    yield { offset: at, stream: "stdout", bytes: bytes.subarray(at, at + PIECE_BYTES) };
  yield "complete";
}

/** True when the task has gone on since: another source may have the output now. */
function hasMoved(before: TaskRecord, now: TaskRecord | undefined): boolean {
  return now?.state !== before.state || now.attempt !== before.attempt;
}
