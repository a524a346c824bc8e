import type { Clock, Logger, PeerId, Signer, Streams } from "@chorus/kernel";
import type { EnvelopeLimits } from "./blob-envelope.ts";
import type { BlockStore } from "./block-store.ts";
import type { Keys, Routing } from "./contract.ts";
import type { Copies } from "./copies.ts";
import type { EnvelopeIndex } from "./envelope-index.ts";
import type { HeadStore } from "./head-store.ts";

/** What the parts of one storage share. */
export interface Parts {
  readonly streams: Streams;
  readonly routing: Routing | undefined;
  readonly signer: Signer;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly blocks: BlockStore;
  readonly envelopes: EnvelopeIndex;
  readonly heads: HeadStore;
  readonly copies: Copies;
  readonly cluster: string;
  readonly maxArtifactBytes: number;
  readonly keepReads: boolean;
  readonly peerTimeoutMs: number;
  /** Fires when the storage is disposed. */
  readonly lifetime: AbortSignal;
  /** Names of the things that are being copied to others now. */
  readonly spreading: Set<string>;
  /** Runs something that outlives the call that started it; dispose waits for it. It must not throw. */
  readonly background: (work: Promise<void>) => void;
}

export function limitsOf({ cluster, maxArtifactBytes, clock }: Parts): EnvelopeLimits {
  return { cluster, maxArtifactBytes, now: clock.now() };
}

/** Says that a peer, or an author, gave something wrong. */
export function report(parts: Parts, peer: PeerId, fields: Readonly<Record<string, unknown>>): void {
  parts.logger.warn("a peer gave something wrong", { peer, ...fields });
}
