import type { PeerId } from "@chorus/kernel";
import type { ElectedLog, Leadership } from "../contract.ts";

/** Leadership that a test hands out; every view changes at once. */
export interface FakeLeadership {
  /** What one peer sees. */
  of(peer: PeerId): Leadership;
  /** Gives the lead to a peer, in the next term, or to nobody; every peer sees it. */
  lead(peer: PeerId | undefined): void;
  /**
   * A vote as an election holds it, in the next term, among the peers that hear each other: the term is raised at
   * them, then their logs are asked, and a majority of all voters elects. The others keep what they saw.
   */
  elect(candidate: PeerId, among: ReadonlyMap<PeerId, ElectedLog>): Promise<boolean>;
  /** The peer's lease is over: it leads no more as far as it can tell itself. */
  lapse(peer: PeerId): void;
  /** Changes whose disks count. */
  configure(voters: readonly PeerId[]): void;
}

interface View {
  readonly term: number;
  readonly admin: { readonly peer: PeerId; readonly term: number } | undefined;
}

interface FakeLeadershipOptions {
  readonly voters?: readonly PeerId[];
  /** The mesh in which the terms count. */
  readonly founding?: string;
}

/**
 * Nobody leads at first; terms start at 1.
 * @param options.voters without them there are no elections, and every admin is the only voter
 */
export function fakeLeadership(options: FakeLeadershipOptions = {}): FakeLeadership {
  let term = 0;
  let voters = options.voters;
  let common: View = { term: 0, admin: undefined };
  const views = new Map<PeerId, View>();
  const watchers = new Set<() => void>();
  const viewOf = (peer: PeerId): View => views.get(peer) ?? common;
  const notify = (): void => {
    for (const watcher of watchers) watcher();
  };
  const show = (view: Partial<View>, peers: Iterable<PeerId>): void => {
    for (const peer of peers) views.set(peer, { ...viewOf(peer), ...view });
    notify();
  };
  return {
    of: (peer) => ({
      admin: () => viewOf(peer).admin,
      isAdmin: () => viewOf(peer).admin?.peer === peer,
      changes: ({ signal }) => changes(watchers, () => viewOf(peer).admin, signal),
      async handOver() {
        if (viewOf(peer).admin?.peer !== peer) return;
        common = { ...common, admin: undefined };
        show({ admin: undefined }, views.keys());
      },
      ...(voters && {
        config: () => configOf(voters ?? [], options.founding),
        term: () => viewOf(peer).term,
      }),
    }),
    lead(peer) {
      if (peer !== undefined) term++;
      common = { term, admin: peer && { peer, term } };
      views.clear();
      notify();
    },
    async elect(candidate, among) {
      const own = ++term;
      // Whom they follow they forget only later: the log must be safe all the same.
      show({ term: own }, among.keys());
      if (!(await isElected(candidate, among, voters ?? []))) return false;
      show({ term: own, admin: { peer: candidate, term: own } }, among.keys());
      return true;
    },
    lapse: (peer) => show({ admin: undefined }, [peer]),
    configure(next) {
      voters = next;
      notify();
    },
  };
}

function configOf(voters: readonly PeerId[], founding: string | undefined) {
  return { voters: voters.map((peer) => ({ peer })), ...(founding !== undefined && { founding }) };
}

async function isElected(
  candidate: PeerId,
  among: ReadonlyMap<PeerId, ElectedLog>,
  voters: readonly PeerId[],
): Promise<boolean> {
  const last = await among
    .get(candidate)
    ?.last()
    .catch(() => undefined);
  if (last === undefined) return false;
  const logs = [...among].filter(([peer]) => voters.includes(peer));
  const votes = await Promise.all(
    logs.map(
      async ([peer, log]) => peer === candidate || (await log.mayVoteFor(candidate, last).catch(() => false)),
    ),
  );
  return 2 * votes.filter(Boolean).length > voters.length;
}

async function* changes<T>(
  watchers: Set<() => void>,
  current: () => T,
  signal: AbortSignal,
): AsyncGenerator<T> {
  let wake: (() => void) | undefined;
  let fresh = true;
  const notify = (): void => {
    fresh = true;
    wake?.();
  };
  watchers.add(notify);
  signal.addEventListener("abort", notify);
  while (!signal.aborted) {
    if (!fresh)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    fresh = false;
    if (!signal.aborted) yield current();
  }
  watchers.delete(notify);
}
