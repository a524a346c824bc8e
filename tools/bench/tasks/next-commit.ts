import { spawnSync } from "node:child_process";
import { median } from "../compare.ts";
import { etcdCluster } from "../failover/etcd.ts";
import type { Figure } from "../figure.ts";
import { chorus } from "./systems.ts";

const bench = "tasks";
const ROUNDS = 7;

/** From the SIGKILL of the leader to the next commit that a survivor gets acknowledged, against etcd. */
export async function* nextCommit(): AsyncIterable<Figure> {
  const hasEtcd = spawnSync("etcd", ["--version"]).status === 0;
  const times: { readonly ours: number[]; readonly etcd: number[] } = { ours: [], etcd: [] };
  await using stack = new AsyncDisposableStack();
  const { fleet } = stack.use(await chorus.start({ processes: 1, capacity: 16 }));
  const etcd = hasEtcd ? stack.use(await etcdCluster()) : undefined;
  for (let round = 0; round < ROUNDS; round++) {
    times.ours.push(await fleet.nextCommit(`after-${round}`));
    if (etcd !== undefined) times.etcd.push(await etcd.nextCommit());
  }
  const [ours, theirs] = [median(times.ours), median(times.etcd)];
  const figure = { bench, metric: "leader killed to next commit, median", value: ours, unit: "ms" };
  if (etcd === undefined) yield { ...figure, against: "etcd is not here; brought by apt: etcd-server" };
  else {
    yield { bench, metric: "leader killed to next commit, median, etcd", value: theirs, unit: "ms" };
    yield { ...figure, against: "etcd, 3 members", ratio: ours / theirs };
  }
  yield { bench, metric: "leader killed to next commit, worst", value: Math.max(...times.ours), unit: "ms" };
}
