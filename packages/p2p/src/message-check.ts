import { type Clock, type Envelope, openEnvelope, type PeerId } from "@chorus/kernel";
import { SeenIds } from "./seen-ids.ts";
import { traceparentOf } from "./trace-context.ts";

/** A gossip message as it came in; its gossip signature has been verified. */
export interface IncomingMessage {
  readonly data: Uint8Array;
  /** Who signed the gossip message. */
  readonly signer: PeerId;
  /** Who handed it to us. */
  readonly source: PeerId;
}

/**
 * `reject` costs the source score, `ignore` does not: it is for what an honest neighbour may pass on.
 * Both keep the message from our readers and from other peers.
 */
export type Verdict =
  | { readonly outcome: "accept"; readonly envelope: Envelope }
  | { readonly outcome: "reject" | "ignore"; readonly problem: string };

/** What the check needs to know of the mesh. */
export interface CheckContext {
  readonly cluster: string;
  readonly self: PeerId;
  readonly clock: Clock;
  readonly isRevoked: (peer: PeerId) => boolean;
}

/** Clocks of members may differ by this much, either way. */
export const CLOCK_WINDOW_MS = 300_000;

/** A body of 64 KiB with the fields of its envelope. Larger ones are refused before anything is parsed. */
export const MAX_MESSAGE_BYTES = 69_632;

/** Judges every gossip message before it is delivered or passed on. */
export class MessageCheck {
  readonly #context: CheckContext;
  readonly #seen = new SeenIds(CLOCK_WINDOW_MS);

  constructor(context: CheckContext) {
    this.#context = context;
  }

  async judge({ data, signer, source }: IncomingMessage): Promise<Verdict> {
    const { cluster, self, isRevoked } = this.#context;
    if (data.length > MAX_MESSAGE_BYTES) return reject("too large");
    if (signer === self) return ignore("our own");
    // An honest forwarder may hear of the revocation later than we did.
    if (isRevoked(signer))
      return source === signer ? reject("its sender is revoked") : ignore("its sender is revoked");
    let envelope: Envelope;
    try {
      // Another member's envelope in one's own gossip message would be a replay that gossip cannot see. The sender's
      // own signature in it proves nothing that gossip's, by the same key over more bytes, has not proved.
      envelope = await openEnvelope(data, cluster, { signedBy: signer });
    } catch (error) {
      return reject(error instanceof Error ? error.message : "unreadable");
    }
    return this.#judgeTime(envelope, source);
  }

  #judgeTime(envelope: Envelope, source: PeerId): Verdict {
    const now = this.#context.clock.now();
    const skew = Math.abs(now - envelope.ts);
    if (skew > CLOCK_WINDOW_MS) {
      // Two honest clocks disagree about the edge: only the sender, or a forwarder far beyond it, is to blame.
      const blame = source === envelope.from || skew > 2 * CLOCK_WINDOW_MS;
      return (blame ? reject : ignore)("its time is outside the window");
    }
    const sighting = this.#seen.add(envelope.from, { ...envelope, source, now });
    if (sighting === "forgotten") return ignore("older than what is remembered of its sender");
    if (sighting !== "new") {
      // A sender that wraps one envelope twice can have each copy come over another honest neighbour: whoever is
      // the sender, or brings it for the second time, is to blame, and nobody else.
      return (source === envelope.from || sighting === "again" ? reject : ignore)("replayed");
    }
    return { outcome: "accept", envelope: { ...envelope, traceparent: traceparentOf(envelope.traceparent) } };
  }
}

function reject(problem: string): Verdict {
  return { outcome: "reject", problem };
}

function ignore(problem: string): Verdict {
  return { outcome: "ignore", problem };
}
