/** One node of the bench, ours or bare libp2p, with what the bench does to it. */
export interface Contender {
  /** Where it can be dialled. */
  readonly address: string;
  /** Connected peers now. */
  peers(): number;
  publish(data: Uint8Array): Promise<void>;
  /** Called with each message of another node. */
  onMessage(handle: (data: Uint8Array) => void): void;
}

/** Makes a node that knows the addresses of others. */
export type StartContender = (bootstrap: readonly string[]) => Promise<Contender>;

/** What a child process is told. */
export type Order =
  | { readonly do: "start"; readonly nodes: number; readonly bootstrap: readonly string[] }
  | { readonly do: "await-peers"; readonly peers: number }
  | { readonly do: "expect"; readonly messages: number }
  /** `everyMs` 0 sends as fast as publishing resolves. */
  | { readonly do: "publish"; readonly size: number; readonly count: number; readonly everyMs: number }
  | { readonly do: "memory" };

/** What it answers; one answer for each order, in the order of completion. */
export interface Answer {
  readonly to: Order["do"];
  readonly addresses?: readonly string[];
  /** Machine-wide monotonic clock, nanoseconds as a decimal string: of the moment the order was fulfilled. */
  readonly at: string;
  /** Publish to receive, milliseconds, in order of arrival. */
  readonly delays?: readonly number[];
  readonly rssBytes?: number;
}
