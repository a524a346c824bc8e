import { cidOf, createSigner, sealEnvelope, type Canonical, type PeerId, type Signer } from "@chorus/kernel";
import type { Random } from "../random.ts";
import type { Tasks } from "./machine.ts";

export const CLUSTER = "sim";

export interface Token {
  readonly term: number;
  readonly index: number;
}

/** A lease as its holder remembers it; it may be long over. */
export interface Held {
  readonly task: string;
  readonly token: Token;
}

/** One worker. It remembers every lease it ever had, as a process does that was stopped and goes on too late. */
export interface Peer {
  readonly signer: Signer;
  readonly leases: Held[];
  session: number;
}

/** A command on its way to the ledger: late, twice or never. */
export interface Sent {
  readonly type: string;
  readonly from: PeerId;
  readonly body: { readonly [key: string]: Canonical };
  readonly bytes: Uint8Array;
}

export async function makePeers(count: number): Promise<readonly Peer[]> {
  const seeds = Array.from({ length: count }, (_, i) => new Uint8Array(32).fill(i + 1));
  return Promise.all(
    seeds.map(async (seed) => ({ signer: await createSigner(seed), leases: [], session: 1 })),
  );
}

const cids = await Promise.all([1, 2, 3].map((byte) => cidOf(Uint8Array.of(byte), "raw")));

/** What one peer asks for next. Most of it makes sense; some of it comes too late or from the wrong peer. */
export async function nextCommand(
  chance: Random,
  peers: readonly Peer[],
  table: Tasks,
): Promise<Sent | undefined> {
  const peer = chance.pick(peers);
  const [type, body] = draft(chance, { peer, other: chance.pick(peers), table }) ?? [];
  if (type === undefined || body === undefined) return undefined;
  const bytes = await sealEnvelope({ type, cluster: CLUSTER, body }, peer.signer, table.order.length);
  return { type, from: peer.signer.peer, body, bytes };
}

type Draft = readonly [type: string, body: { readonly [key: string]: Canonical }];

interface Situation {
  readonly peer: Peer;
  readonly other: Peer;
  readonly table: Tasks;
}

function draft(chance: Random, { peer, other, table }: Situation): Draft | undefined {
  const dice = chance.below(100);
  if (dice < 12 || table.order.length === 0) return submission(chance);
  if (dice < 42) return claim(chance, peer, table);
  if (dice < 84) return underLease(chance, chance.oneIn(12) ? other.leases : peer.leases);
  if (dice < 96) return expiry(chance, table);
  return ["task-cancel", { task: chance.pick(table.order), reason: "no longer wanted" }];
}

/** Few principals and keys, so that requests repeat; now and then with another content. */
function submission(chance: Random): Draft {
  const key = `key-${chance.below(24)}`;
  const goal = chance.oneIn(10) ? "something else" : `reach ${key}`;
  const principal = `person-${chance.below(2)}`;
  return ["task-submit", { principal, key, spec: { goal, project: "sim", attempts: 1 + chance.below(4) } }];
}

function claim(chance: Random, peer: Peer, table: Tasks): Draft {
  const session = `session-${peer.session}`;
  return [
    "task-claim",
    { task: chance.pick(table.order), capabilities: ["language:*"], ttlMs: 1000, session },
  ];
}

function underLease(chance: Random, leases: readonly Held[]): Draft | undefined {
  const newest = leases.at(-1);
  if (newest === undefined) return undefined;
  const { task, token } = chance.oneIn(3) ? chance.pick(leases) : newest;
  const base = { task, token: { ...token } };
  const dice = chance.below(10);
  if (dice < 3) return ["task-renew", base];
  if (dice < 5)
    return ["task-progress", { ...base, step: { phase: "command-started", message: "one step" } }];
  if (dice < 6) return ["task-fail", { ...base, reason: { code: "sim/failed", message: "no luck" } }];
  return ["task-complete", { ...base, result: result(chance) }];
}

function expiry(chance: Random, table: Tasks): Draft | undefined {
  const task = chance.pick(table.order);
  const lease = table.tasks.get(task)?.lease;
  if (lease === undefined) return undefined;
  const { term, index } = lease.token;
  const renewal = chance.oneIn(3) ? Math.max(0, lease.renewal - 1) : lease.renewal;
  const cause = chance.pick(["lapsed", "holder-gone", "holder-restarted"]);
  return ["task-expire", { task, token: { term, index }, renewal, cause }];
}

function result(chance: Random): { readonly [key: string]: Canonical } {
  const cid = chance.pick(cids);
  return {
    outcome: chance.oneIn(4) ? "failed" : "succeeded",
    decision: { address: "ucxl://sim/task/worker/agent/@v1", cid, signatures: cid },
    manifest: cid,
    artifacts: [],
    artifactCount: 0,
    quarantined: [],
    quarantinedCount: 0,
    redactions: 0,
    replicas: 2,
    degraded: false,
  };
}
