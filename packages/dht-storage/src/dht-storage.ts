import type { DatabaseSync } from "node:sqlite";
import { parseCid } from "@chorus/kernel";
import { blockStore } from "./block-store.ts";
import { abortable } from "./cancel.ts";
import type { Cancel, DhtStorage, StorageComponents, StorageOptions } from "./contract.ts";
import { copies } from "./copies.ts";
import { openDatabase } from "./database.ts";
import { envelopeIndex } from "./envelope-index.ts";
import { ClosedError } from "./errors.ts";
import { headStore } from "./head-store.ts";
import { readHead, writeHead } from "./lanes.ts";
import type { Parts } from "./parts.ts";
import { find, readStored, type Found } from "./read.ts";
import { serve } from "./serve.ts";
import { turns } from "./turns.ts";
import { upkeep } from "./upkeep.ts";
import { PROTOCOL } from "./wire.ts";
import { putBytes, putSource } from "./write.ts";

const GIB = 1_073_741_824;
const MIB = 1_048_576;

/**
 * Opens the storage of one peer, serves other peers, and completes copies that it owes until it is disposed.
 * @throws `dht-storage/directory`
 */
export async function dhtStorage(
  components: StorageComponents,
  options: StorageOptions,
): Promise<DhtStorage> {
  const { keys, logger, streams } = components;
  const database = openDatabase(options.directory, options.cluster);
  const lifetime = new AbortController();
  const running = new Set<Promise<unknown>>();
  /** Keeps the disk open until the work has ended, however it ends. */
  const track = <T>(work: Promise<T>): Promise<T> => {
    const ended = work
      .then(
        () => undefined,
        () => undefined,
      )
      .finally(() => running.delete(ended));
    running.add(ended);
    return work;
  };
  let parts: Parts;
  try {
    parts = assemble(components, options, { database, lifetime: lifetime.signal, track });
  } catch (error) {
    database.close();
    throw error;
  }
  if (keys.level === "none")
    logger.warn("storage is not protected: its keys come from the cluster's name, which is no secret", {
      cluster: options.cluster,
    });
  const serving = streams.handle(PROTOCOL, (stream) => track(serve(parts, stream)));
  void track(upkeep(parts));
  return facade(parts, {
    track,
    async close() {
      serving[Symbol.dispose]();
      lifetime.abort(new ClosedError());
      while (running.size > 0) await Promise.all(running);
      if (database.isOpen) database.close();
    },
  });
}

type Track = <T>(work: Promise<T>) => Promise<T>;

function assemble(
  components: StorageComponents,
  options: StorageOptions,
  life: { readonly database: DatabaseSync; readonly lifetime: AbortSignal; readonly track: Track },
): Parts {
  const { streams, routing, signer, keys, clock, logger } = components;
  const { directory, cluster, capacityBytes = 10 * GIB, maxArtifactBytes = 256 * MIB } = options;
  const { keepReads = true, peerTimeoutMs = 10_000 } = options;
  const { database, lifetime, track } = life;
  const blocks = blockStore({ database, clock, logger }, { directory, capacityBytes });
  return {
    streams,
    routing,
    signer,
    keys,
    clock,
    logger,
    cluster,
    maxArtifactBytes,
    keepReads,
    peerTimeoutMs,
    blocks,
    envelopes: envelopeIndex({ database, clock }, blocks),
    heads: headStore(database, cluster),
    copies: copies(database),
    spreading: new Set(),
    lifetime,
    background: (work) => void track(work),
  };
}

interface Life {
  readonly track: Track;
  readonly close: () => Promise<void>;
}

function facade(parts: Parts, { track, close }: Life): DhtStorage {
  const { lifetime, envelopes } = parts;
  /** Every call ends with the storage, and the storage waits for every call. */
  const call = async <T>({ signal }: Cancel, work: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    lifetime.throwIfAborted();
    signal?.throwIfAborted();
    const both = signal === undefined ? lifetime : AbortSignal.any([signal, lifetime]);
    return track(work(both));
  };
  /** Two heads of one lane at a time could be given one number. */
  const inTurn = turns();
  return {
    put: (bytes, options) => call(options, (signal) => putBytes(parts, bytes, { ...options, signal })),
    putStream: (source, options) =>
      call(options, (signal) => putSource(parts, source, { ...options, signal })),
    get: (cid, options = {}) =>
      call(options, async (signal) => {
        const found = await find(parts, parseCid(cid), signal);
        return found === undefined ? undefined : whole(parts, found, signal);
      }),
    getStream: (cid, options = {}) =>
      call(options, async (signal) => {
        const found = await find(parts, parseCid(cid), signal);
        return found === undefined ? undefined : streamed(parts, found, signal);
      }),
    has: (cid) => call({}, async () => envelopes.held(parseCid(cid)).length > 0),
    putHead: (head, options = {}) =>
      call(options, (signal) => inTurn(head.lane, () => writeHead(parts, head, signal))),
    head: (lane, options = {}) => call(options, (signal) => readHead(parts, lane, signal)),
    [Symbol.asyncDispose]: close,
  };
}

/** Ciphertext is a little longer than its plaintext, so one buffer of its length holds the whole. */
async function whole(parts: Parts, found: Found, signal: AbortSignal): Promise<Uint8Array> {
  if ("bytes" in found) return found.bytes;
  const buffer = new Uint8Array(found.stored.envelope.size);
  let filled = 0;
  for await (const chunk of readStored(parts, found.stored, signal)) {
    buffer.set(chunk, filled);
    filled += chunk.length;
  }
  return buffer.subarray(0, filled);
}

const PIECE_BYTES = 65_536;

async function* streamed(parts: Parts, found: Found, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  if ("bytes" in found)
    for (let at = 0; at < found.bytes.length; at += PIECE_BYTES)
      yield found.bytes.subarray(at, at + PIECE_BYTES);
  else yield* abortable(readStored(parts, found.stored, signal), signal);
}
