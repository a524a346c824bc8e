import { cidOf, InvalidInputError, parseCid, type Cid, type Clock, type Signer } from "@chorus/kernel";
import { classLimit, defaultExpiry, endsLater, sha256 } from "../blob-envelope.ts";
import { abortable } from "../cancel.ts";
import type {
  Cancel,
  DhtStorage,
  Durability,
  Head,
  HeadDraft,
  HeadResult,
  PutOptions,
  PutResult,
} from "../contract.ts";
import { ClosedError, EquivocationError, RollbackError, TooLargeError } from "../errors.ts";
import { assertDraft, assertLane, sealHead, standing, type SignedHead } from "../head-record.ts";

const PIECE_BYTES = 65_536;
const MAX_ARTIFACT_BYTES = 268_435_456;

interface Kept {
  readonly bytes: Uint8Array;
  readonly expires: number | null;
}

/**
 * The contract of a peer that is alone, in memory: nothing is encrypted, copied or kept, and there is no bound
 * but those of the classes. Heads are signed and judged as in the real one.
 */
export function memoryStorage(components: { readonly signer: Signer; readonly clock: Clock }): DhtStorage {
  const { signer, clock } = components;
  const { find, keep } = memoryBlobs(clock);
  const heads = memoryHeads(signer, clock);
  const durability: Durability = { replicas: 1, acks: [signer.peer], degraded: false };
  let isClosed = false;
  const check = ({ signal }: Cancel = {}): void => {
    if (isClosed) throw new ClosedError();
    signal?.throwIfAborted();
  };
  return {
    async put(bytes, options) {
      check(options);
      return { cid: await keep(bytes.slice(), options), ...durability } satisfies PutResult;
    },
    async putStream(source, options) {
      check(options);
      return { cid: await keep(await joined(source, options), options), ...durability };
    },
    async get(cid, options) {
      check(options);
      return find(cid)?.slice();
    },
    async getStream(cid, options) {
      check(options);
      const bytes = find(cid);
      return bytes === undefined ? undefined : pieces(bytes, () => check(options));
    },
    async has(cid) {
      check();
      return find(cid) !== undefined;
    },
    async putHead(draft, options) {
      check(options);
      return { head: await heads.put(draft), ...durability } satisfies HeadResult;
    },
    async head(lane, options) {
      check(options);
      return heads.get(lane);
    },
    async [Symbol.asyncDispose]() {
      isClosed = true;
    },
  };
}

interface MemoryBlobs {
  readonly find: (cid: Cid) => Uint8Array | undefined;
  readonly keep: (bytes: Uint8Array, options: PutOptions) => Promise<Cid>;
}

function memoryBlobs(clock: Clock): MemoryBlobs {
  const blobs = new Map<Cid, Kept>();
  return {
    find: (cid) => {
      const kept = blobs.get(parseCid(cid));
      const isGone = kept === undefined || (kept.expires !== null && kept.expires <= clock.now());
      return isGone ? undefined : kept.bytes;
    },
    keep: async (bytes, options) => {
      const { codec, expiresAt } = options;
      assertSize(bytes.length, options);
      if (expiresAt !== undefined && expiresAt <= clock.now())
        throw new InvalidInputError("expiresAt", "must be milliseconds in the future");
      const cid = await cidOf(bytes, codec);
      const expires = expiresAt ?? defaultExpiry(options.class, clock.now());
      const before = blobs.get(cid);
      const stays = before !== undefined && endsLater(before.expires, expires);
      blobs.set(cid, stays ? before : { bytes, expires });
      return cid;
    },
  };
}

interface MemoryHeads {
  readonly get: (lane: string) => Head | undefined;
  readonly put: (draft: HeadDraft) => Promise<Head>;
}

function memoryHeads(signer: Signer, clock: Clock): MemoryHeads {
  const heads = new Map<string, SignedHead>();
  return {
    get: (lane) => {
      assertLane(lane);
      const head = heads.get(lane)?.head;
      return head?.validUntil !== undefined && head.validUntil <= clock.now() ? undefined : head;
    },
    put: async (draft) => {
      const signed = await headAfter(heads.get(draft.lane), draft, signer);
      // Another call may have been quicker.
      judge(heads.get(draft.lane), draft, signer);
      heads.set(draft.lane, signed);
      return signed.head;
    },
  };
}

async function headAfter(
  last: SignedHead | undefined,
  draft: HeadDraft,
  signer: Signer,
): Promise<SignedHead> {
  assertDraft(draft, signer.peer);
  if (judge(last, draft, signer) && last !== undefined) return last;
  const prevHeadHash = last === undefined ? null : sha256(last.bytes);
  return sealHead({ ...draft, prevHeadHash, author: signer.peer }, signer, "memory");
}

/** @returns true for a repeat. @throws RollbackError, EquivocationError */
function judge(last: SignedHead | undefined, draft: HeadDraft, signer: Signer): boolean {
  if (last === undefined) return false;
  const { lane, seq } = draft;
  const judged = standing([last.head], {
    ...draft,
    author: signer.peer,
    prevHeadHash: null,
    sig: new Uint8Array(),
  });
  if (judged === "older") throw new RollbackError(lane, { seq, known: last.head.seq });
  if (judged === "contradiction") throw new EquivocationError(lane, [last.head]);
  return judged === "repeat";
}

async function joined(source: AsyncIterable<Uint8Array>, options: PutOptions): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  const readable = options.signal === undefined ? source : abortable(source, options.signal);
  for await (const chunk of readable) {
    total += chunk.length;
    assertSize(total, options);
    chunks.push(chunk.slice());
  }
  return new Uint8Array(Buffer.concat(chunks));
}

function assertSize(size: number, { class: blobClass }: PutOptions): void {
  const limit = classLimit(blobClass, MAX_ARTIFACT_BYTES);
  if (size > limit) throw new TooLargeError(blobClass, limit);
}

async function* pieces(bytes: Uint8Array, check: () => void): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    check();
    yield bytes.slice(at, at + PIECE_BYTES);
  }
}
