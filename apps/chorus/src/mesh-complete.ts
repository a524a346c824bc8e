import type { LocalPeer } from "./local-mesh.ts";

/** A mesh in which everyone knows everyone and the same admin. */
export interface WholeMesh {
  /** Peer id → the name that people use. */
  readonly names: Map<string, string>;
  readonly encryption: readonly string[];
  readonly election: ElectionView;
}

interface ElectionView {
  readonly admin: string;
  readonly term: number;
  readonly votes: number;
  readonly voters: number;
}

interface View {
  readonly peer: string;
  readonly name: string;
  readonly others: readonly { readonly peer: string; readonly encryption: string }[];
  readonly election: Partial<ElectionView>;
}

const POLL_MS = 50;
const DEADLINE_MS = 30_000;

/** Asks every agent until all see the same. @throws when that takes too long, saying who misses what */
export async function meshComplete(peers: readonly LocalPeer[], signal: AbortSignal): Promise<WholeMesh> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    signal.throwIfAborted();
    const lost = peers.find(({ alive }) => !alive);
    if (lost) throw new Error(`${lost.name} ended before the mesh had come together; run it again`);
    // Who does not answer now is asked again: it may be on its way up, or down.
    const answers = await Promise.all(peers.map((peer) => view(peer).catch(() => undefined)));
    const views = answers.filter((answer) => answer !== undefined);
    const whole = views.length === peers.length ? agreed(views) : undefined;
    if (whole) return whole;
    if (performance.now() > deadline) throw new Error(`the mesh did not come together: ${describe(views)}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function view({ client }: LocalPeer): Promise<View> {
  const [info, peers, election] = await Promise.all([
    client.get<{ peer: string; name: string }>("/v1/info"),
    client.get<{ items: View["others"] }>("/v1/peers"),
    client.get<Partial<ElectionView>>("/v1/election"),
  ]);
  return { ...info, others: peers.items, election };
}

function agreed(views: readonly View[]): WholeMesh | undefined {
  const names = new Map(views.map(({ peer, name }) => [peer, name]));
  const isWhole = views.every(
    ({ others }) => new Set(others.map(({ peer }) => peer)).size >= views.length - 1,
  );
  const [first, ...rest] = views.map(({ election }) => election);
  const { admin, term, votes, voters } = first ?? {};
  if (!isWhole || !admin || term === undefined || votes === undefined || voters === undefined)
    return undefined;
  if (rest.some((other) => other.admin !== admin || other.term !== term)) return undefined;
  const encryption = [...new Set(views.flatMap(({ others }) => others.map((other) => other.encryption)))];
  return { names, encryption: encryption.toSorted(), election: { admin, term, votes, voters } };
}

function describe(views: readonly View[]): string {
  return views
    .map(
      ({ name, others, election }) =>
        `${name} sees ${others.length} peers and ${election.admin ? "an" : "no"} admin`,
    )
    .join("; ");
}
