import { spawnSync } from "node:child_process";
import { chorusCluster } from "./failover/chorus.ts";
import { etcdCluster } from "./failover/etcd.ts";
import type { Figure } from "./figure.ts";

export const topic = "mesh";

const ROUNDS = 9;

/** From the death of the leader to the next one, against etcd where it is installed (apt: etcd-server). */
export async function* run(): AsyncIterable<Figure> {
  const hasEtcd = spawnSync("etcd", ["--version"]).status === 0;
  await using ours = await chorusCluster();
  await using stack = new AsyncDisposableStack();
  const etcd = hasEtcd ? stack.use(await etcdCluster()) : undefined;
  const times: { readonly ours: number[]; readonly etcd: number[] } = { ours: [], etcd: [] };
  for (let round = 0; round < ROUNDS; round++) {
    times.ours.push(await ours.failover());
    if (etcd !== undefined) times.etcd.push(await etcd.failover());
  }
  for (const [metric, share] of [
    ["admin failover after a kill, median", 0.5],
    ["admin failover after a kill, worst", 1],
  ] as const) {
    const value = at(times.ours, share);
    const figure = { bench: topic, metric, value, unit: "ms" };
    if (etcd === undefined) yield { ...figure, against: "etcd is not installed" };
    else yield { ...figure, against: "etcd, 3 members", ratio: value / at(times.etcd, share) };
  }
}

function at(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
