import { ChorusError, type Cid } from "@chorus/kernel";
import type { Head } from "./contract.ts";

/** The directory cannot be used: not writable, open in another process, or of another cluster. */
export class DirectoryError extends ChorusError {
  readonly code = "dht-storage/directory";
  constructor(directory: string, problem: string, cause?: unknown) {
    super(`storage directory ${directory} ${problem}`, { detail: { directory, problem }, cause });
  }
}

/** Storing would exceed `capacityBytes`. Expired blobs make room. */
export class FullError extends ChorusError {
  readonly code = "dht-storage/full";
  constructor(detail: { readonly wanted: number; readonly used: number; readonly capacity: number }) {
    super("storage is full", { retryable: true, detail });
  }
}

/** The disk failed while reading or writing (no space, no permission, hardware). */
export class DiskError extends ChorusError {
  readonly code = "dht-storage/io";
  constructor(doing: string, cause: unknown) {
    super(`the disk failed while ${doing}`, { retryable: true, detail: { doing }, cause });
  }
}

/** The plaintext is over the bound of its class. */
export class TooLargeError extends ChorusError {
  readonly code = "dht-storage/too-large";
  constructor(blobClass: string, limit: number) {
    super(`a blob of class ${blobClass} holds at most ${limit} bytes`, {
      detail: { class: blobClass, limit },
    });
  }
}

/** Sealing without a recipient would make bytes that nobody can ever read. */
export class NoRecipientsError extends ChorusError {
  readonly code = "dht-storage/no-recipients";
  constructor() {
    super("there is no recipient to encrypt to");
  }
}

/** This peer has no key for the role and epoch that a blob is sealed to. */
export class NoKeyError extends ChorusError {
  readonly code = "dht-storage/no-key";
  constructor(role: string, epoch: number) {
    super(`no key for role ${role}, epoch ${epoch}`, { detail: { role, epoch } });
  }
}

/** Ciphertext that is not age, has an abusive header, or fails authentication. */
export class CiphertextError extends ChorusError {
  readonly code = "dht-storage/bad-ciphertext";
  constructor(problem: string, cause?: unknown) {
    super(`ciphertext refused: ${problem}`, { detail: { problem }, cause });
  }
}

/** A signed record (envelope or head) or a block that fails its checks. */
export class RefusedError extends ChorusError {
  readonly code = "dht-storage/refused";
  constructor(problem: string, cause?: unknown) {
    super(`refused: ${problem}`, { detail: { problem }, cause });
  }
}

/** Copies were found, but none of them is what the address asks for. Each was logged with its peer. */
export class BadCopiesError extends ChorusError {
  readonly code = "dht-storage/bad-copies";
  constructor(cid: Cid, rejected: number) {
    super("no right copy was found, only wrong ones", { retryable: true, detail: { cid, rejected } });
  }
}

/** A head with a lower seq than one that is known. */
export class RollbackError extends ChorusError {
  readonly code = "dht-storage/rollback";
  constructor(lane: string, seqs: { readonly seq: number; readonly known: number }) {
    super(`lane ${lane} is already at ${seqs.known}`, { detail: { lane, ...seqs } });
  }
}

/** One seq of a lane has two different heads: its author contradicts itself, or the lane has two authors. */
export class EquivocationError extends ChorusError {
  readonly code = "dht-storage/equivocation";
  /** The contradicting heads; signed ones are evidence against their author. */
  readonly heads: readonly Head[];
  constructor(lane: string, heads: readonly Head[]) {
    super(`lane ${lane} has contradicting heads`, { detail: { lane, seqs: heads.map(({ seq }) => seq) } });
    this.heads = heads;
  }
}

/** The storage was disposed. */
export class ClosedError extends ChorusError {
  readonly code = "dht-storage/closed";
  constructor() {
    super("the storage is closed");
  }
}

/** A peer went silent in the middle of a conversation. */
export class SilentPeerError extends ChorusError {
  readonly code = "dht-storage/silent-peer";
  constructor(timeoutMs: number) {
    super("the peer went silent", { retryable: true, detail: { timeoutMs } });
  }
}
