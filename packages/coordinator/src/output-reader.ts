import type { PeerId } from "@chorus/kernel";
import type { OutputChunk, TaskId, TaskRecord } from "./contract.ts";
import { OutputLostError, UnknownTaskError } from "./errors.ts";
import type { OutputPiece } from "./output-log.ts";
import type { OutputLogs } from "./output-logs.ts";
import { fetchOutput, type OutputRequest } from "./output-wire.ts";
import type { Peer } from "./peer.ts";
import { isTerminal } from "./transitions.ts";
import { OUTPUT_PROTOCOL } from "./wire-names.ts";

const PIECE_BYTES = 65_536;
/** Pause before a worker that does not answer is asked again while its lease lives. */
const RETRY_MS = 500;

/** What a source of output came to: all of it, or nothing more from here. */
type Ending = "complete" | "elsewhere";
type Pieces = AsyncGenerator<OutputPiece, Ending>;

/** Reads an attempt's output at any peer: from its own log, from the stored artifact, or from the worker. */
export class OutputReader {
  readonly #peer: Peer;
  readonly #logs: OutputLogs;

  constructor(peer: Peer, logs: OutputLogs) {
    this.#peer = peer;
    this.#logs = logs;
  }

  /** @param record the task now; the attempt is one of its attempts */
  async *read(
    place: { readonly task: TaskId; readonly attempt: number; readonly offset: number },
    signal: AbortSignal,
  ): AsyncGenerator<OutputChunk, void> {
    let { offset } = place;
    while (!signal.aborted) {
      const record = this.#peer.record(place.task);
      if (record === undefined) throw new UnknownTaskError(place.task);
      const pieces = this.#source(record, { ...place, offset }, signal);
      for (;;) {
        const next = await pieces.next();
        if (next.done === true) {
          if (next.value === "complete") return;
          break;
        }
        yield { attempt: place.attempt, ...next.value };
        offset = next.value.offset + next.value.bytes.length;
      }
      if (signal.aborted) return;
      if (!isCurrent(this.#peer.record(place.task), record)) continue;
      if (record.lease?.attempt !== place.attempt) throw new OutputLostError(place.task, place.attempt);
      await this.#peer.components.clock.sleep(RETRY_MS, { signal });
    }
  }

  async *#source(record: TaskRecord, request: OutputRequest, signal: AbortSignal): Pieces {
    const log = this.#logs.get(request.task, request.attempt);
    if (log !== undefined) return yield* whole(log.read(request.offset, signal));
    const stored =
      record.attempt === request.attempt ? yield* this.#stored(record, request, signal) : "elsewhere";
    if (stored === "complete") return stored;
    const holder = record.holders[request.attempt - 1];
    return holder === undefined ? "elsewhere" : yield* this.#remote(holder, request, signal);
  }

  async *#stored({ result }: TaskRecord, { offset }: OutputRequest, signal: AbortSignal): Pieces {
    const artifact = result?.artifacts.find(({ path }) => path === "output.log");
    if (artifact === undefined) return "elsewhere";
    const bytes = await this.#peer.components.storage.get(artifact.cid, { signal });
    if (bytes === undefined) return "elsewhere";
    for (let at = offset; at < bytes.length; at += PIECE_BYTES)
      yield { offset: at, stream: "stdout", bytes: bytes.subarray(at, at + PIECE_BYTES) };
    return "complete";
  }

  async *#remote(holder: PeerId, request: OutputRequest, signal: AbortSignal): Pieces {
    const { streams, signer, logger } = this.#peer.components;
    if (holder === signer.peer) return "elsewhere";
    try {
      const stream = await streams.open(holder, OUTPUT_PROTOCOL, { signal });
      try {
        return (yield* fetchOutput(stream, request)) ? "complete" : "elsewhere";
      } finally {
        stream.abort(new Error("output is no longer read"));
      }
    } catch (error) {
      if (!signal.aborted) logger.debug("output stream broke", { task: request.task, holder, error });
      return "elsewhere";
    }
  }
}

async function* whole(pieces: AsyncGenerator<OutputPiece>): Pieces {
  yield* pieces;
  return "complete";
}

/** True while nothing has happened to the task: trying the same again only makes sense after a pause. */
function isCurrent(now: TaskRecord | undefined, before: TaskRecord): boolean {
  return (
    now === undefined ||
    (isTerminal(now.state) === isTerminal(before.state) &&
      now.attempt === before.attempt &&
      (now.lease === undefined) === (before.lease === undefined))
  );
}
