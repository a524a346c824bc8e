import type { PeerId, PubSub, Streams } from "@chorus/kernel";

/** One peer as its ports show it. */
export interface ContractMember {
  readonly peer: PeerId;
  readonly pubsub: PubSub;
  readonly streams: Streams;
  /** Disappears from the network, as far as the others can tell. */
  leave(): void | Promise<void>;
}

/** Three members that see each other and can already hear each other on the topic. */
export interface ContractNetwork {
  readonly cluster: string;
  readonly topic: string;
  readonly members: readonly [ContractMember, ContractMember, ContractMember];
}

/** One rule. `run` gets a fresh network, throws when the rule is broken, and leaves the clean-up to its caller. */
export interface ContractCase {
  readonly name: string;
  readonly run: (network: ContractNetwork) => Promise<void>;
}
