import {
  type Clock,
  type Envelope,
  InvalidInputError,
  type Logger,
  type PeerId,
  type PubSub,
  sealEnvelope,
  type Signer,
} from "@chorus/kernel";
import { type GossipSub, type Message, TopicValidatorResult } from "@chainsafe/libp2p-gossipsub";
import type { PeerId as Libp2pPeerId } from "@libp2p/interface";
import { signalOf } from "./checks.ts";
import { ClosedError } from "./errors.ts";
import { MessageCheck } from "./message-check.ts";
import { asPeerId } from "./peer-ids.ts";
import { Audience } from "./queue.ts";
import { traceparentOf } from "./trace-context.ts";

/** What the port is made from. */
export interface PubSubContext {
  readonly gossip: GossipSub;
  readonly signer: Signer;
  readonly cluster: string;
  readonly topics: readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly isRevoked: (peer: PeerId) => boolean;
  /** A neighbour brought something that no honest one would. */
  readonly offend: (peer: PeerId, problem: string) => void;
  /** Of the work that the caller is doing. */
  readonly traceparent: () => string | undefined;
}

/** The kernel's port, and its end. */
export interface MeshPubSub extends PubSub {
  close(): void;
}

/** Messages of up to 64 KiB that a slow reader may leave unread: 16 MiB at worst. */
const MAX_UNREAD = 256;

/** Call before the node starts, so that no message passes unchecked. */
export function meshPubSub(context: PubSubContext): MeshPubSub {
  const { gossip, signer, cluster, clock, logger } = context;
  const audiences = new Map(context.topics.map((topic) => [topic, new Audience<Envelope>(MAX_UNREAD)]));
  let closed = false;
  const audienceOf = (topic: string): Audience<Envelope> => {
    const audience = audiences.get(topic);
    if (audience === undefined) throw new InvalidInputError("topic", "is not one of this mesh");
    if (closed) throw new ClosedError();
    return audience;
  };
  deliver(context, audiences);
  return {
    async publish(topic, type, body) {
      audienceOf(topic);
      const draft = { type, cluster, body, traceparent: currentTrace(context) };
      const bytes = await sealEnvelope(draft, signer, clock.now());
      const { recipients } = await gossip.publish(topic, bytes);
      if (recipients.length === 0) logger.debug("message published to nobody", { topic, type });
    },
    subscribe: (topic, options) => audienceOf(topic).join(signalOf(options)),
    close() {
      closed = true;
      for (const audience of audiences.values()) audience.end();
    },
  };
}

/** Tracing must never be the reason that a message does not go out. */
function currentTrace({ traceparent, logger }: PubSubContext): string {
  try {
    const given = traceparent();
    const valid = traceparentOf(given);
    if (given !== undefined && given !== valid) logger.debug("invalid trace context left out", { given });
    return valid;
  } catch (error) {
    logger.debug("trace context cannot be had", { error });
    return "";
  }
}

function deliver(context: PubSubContext, audiences: ReadonlyMap<string, Audience<Envelope>>): void {
  const { gossip, logger } = context;
  const check = new MessageCheck({ ...context, self: context.signer.peer });
  /** Gossip hands the same object to the validator and to the listener, so each is parsed once. */
  const accepted = new WeakMap<Message, Envelope>();
  const validate = async (from: Libp2pPeerId, message: Message): Promise<TopicValidatorResult> => {
    const source = asPeerId(from);
    const signer = message.type === "signed" ? asPeerId(message.from) : undefined;
    if (source === undefined || signer === undefined) return TopicValidatorResult.Reject;
    const verdict = await check.judge({ data: message.data, signer, source });
    if (verdict.outcome === "accept") {
      accepted.set(message, verdict.envelope);
      return TopicValidatorResult.Accept;
    }
    const { outcome, problem } = verdict;
    logger.debug("message refused", { topic: message.topic, source, signer, outcome, problem });
    if (outcome === "reject") context.offend(source, problem);
    return outcome === "reject" ? TopicValidatorResult.Reject : TopicValidatorResult.Ignore;
  };
  for (const topic of audiences.keys()) gossip.topicValidators.set(topic, validate);
  gossip.addEventListener("message", ({ detail }) => {
    const envelope = accepted.get(detail);
    if (envelope !== undefined) audiences.get(detail.topic)?.tell(envelope);
  });
}
