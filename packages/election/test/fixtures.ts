import { createSigner, type Logger, type PeerId, silentLogger, type Signer } from "@chorus/kernel";
import { manualClock, memoryNetwork, type MemoryPeer } from "@chorus/kernel/testing";
import type { Admin, Election, ElectionOptions, VoteStore } from "../src/index.ts";
import { election } from "../src/index.ts";
import { memoryVoteStore } from "../src/testing/index.ts";

/** Peers 0 to 4, the same in every run, sorted by name. */
export const signers: readonly Signer[] = (
  await Promise.all([1, 2, 3, 4, 5].map((n) => createSigner(new Uint8Array(32).fill(n))))
).toSorted((a, b) => (a.peer < b.peer ? -1 : 1));

export const peers: readonly PeerId[] = signers.map((signer) => signer.peer);

/** One peer that takes part, until it is killed or stopped. */
export interface Member {
  readonly peer: PeerId;
  readonly at: MemoryPeer;
  readonly store: VoteStore;
  readonly voting: Election;
  /** Vanishes as a killed process does: nobody is told. */
  kill(): Promise<void>;
}

/** A mesh in memory with a clock that only the test moves. */
export async function setup(): Promise<
  AsyncDisposable & {
    readonly clock: ReturnType<typeof manualClock>;
    readonly network: ReturnType<typeof memoryNetwork>;
    readonly logs: string[];
    join(n: number, options: Omit<ElectionOptions, "cluster">, store?: VoteStore): Promise<Member>;
  }
> {
  const clock = manualClock();
  const network = memoryNetwork({ clock, cluster: "mesh" });
  const running = new Set<Election>();
  const logs: string[] = [];
  const keep = (message: string): void => void logs.push(message);
  const logger: Logger = { ...silentLogger, warn: keep, error: keep, child: () => logger };
  return {
    clock,
    network,
    logs,
    async join(n, options, store = memoryVoteStore()) {
      const signer = signers[n]!;
      const at = network.join(signer);
      const { streams, pubsub } = at;
      const random = (): number => (n * 0.37) % 1;
      const components = { streams, pubsub, signer, store, clock, random, logger };
      const voting = await election(components, { cluster: "mesh", ...options });
      running.add(voting);
      const kill = async (): Promise<void> => {
        at.leave();
        running.delete(voting);
        await voting[Symbol.asyncDispose]();
      };
      return { peer: signer.peer, at, store, voting, kill };
    },
    async [Symbol.asyncDispose]() {
      for (const voting of running) await voting[Symbol.asyncDispose]();
    },
  };
}

/** Waits for what real cryptography and disks do in their own time; the manual clock stands still meanwhile. */
export async function until(what: () => boolean): Promise<void> {
  const end = performance.now() + 10_000;
  while (!what()) {
    if (performance.now() > end) throw new Error(`never became true: ${what.toString()}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** What `changes()` said so far. */
export function record(voting: Election): { readonly admins: (Admin | undefined)[] } {
  const admins: (Admin | undefined)[] = [];
  void (async () => {
    for await (const admin of voting.changes(new AbortController())) admins.push(admin);
  })();
  return { admins };
}
