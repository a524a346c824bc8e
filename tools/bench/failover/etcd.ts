import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { freePorts } from "../../free-ports.ts";
import type { Cluster } from "./contender.ts";

interface Member {
  readonly name: string;
  readonly client: number;
  readonly peer: number;
  child: ChildProcess;
}

/** Also looks from outside for what counts: an acknowledged write. */
export interface EtcdCluster extends Cluster {
  /** As {@link Cluster.failover}. @returns milliseconds from the kill to the next write that a survivor acknowledges */
  nextCommit(): Promise<number>;
}

/** Looks this often; small against what is measured. */
const LOOK_MS = 2;
/** A write without a leader is answered late, if at all; another one is tried beside it. */
const WRITE_MS = 20;

/** Three members of etcd with its own timing (heartbeat 100 ms, election 1 s). */
export async function etcdCluster(): Promise<EtcdCluster> {
  const folder = mkdtempSync(join(tmpdir(), "bench-etcd-"));
  const ports = await freePorts(6);
  const plan = ["a", "b", "c"].map((name, i) => ({
    name,
    client: ports[2 * i] ?? 0,
    peer: ports[2 * i + 1] ?? 0,
  }));
  const initial = plan.map(({ name, peer }) => `${name}=http://127.0.0.1:${peer}`).join(",");
  const start = (member: Omit<Member, "child">, state: "new" | "existing"): ChildProcess =>
    launch(member, [
      "--data-dir",
      join(folder, member.name),
      "--initial-cluster",
      initial,
      "--initial-cluster-state",
      state,
    ]);
  const members: Member[] = plan.map((member) => ({ ...member, child: start(member, "new") }));
  await settled(members);
  const afterKill = async (until: () => Promise<void>): Promise<number> => {
    const i = (await Promise.all(members.map(leads))).indexOf(true);
    const [killed] = members.splice(i, 1);
    if (killed === undefined) throw new Error("etcd has no leader to kill");
    const from = process.hrtime.bigint();
    await end(killed.child);
    await until();
    const took = Number(process.hrtime.bigint() - from) / 1e6;
    killed.child = start(killed, "existing");
    members.push(killed);
    await settled(members);
    return took;
  };
  return {
    failover: () =>
      afterKill(async () => {
        while (!(await Promise.all(members.map(leads))).includes(true)) await pause(LOOK_MS);
      }),
    nextCommit: () => afterKill(() => acknowledged(members)),
    async [Symbol.asyncDispose]() {
      await Promise.all(members.map(({ child }) => end(child)));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function launch({ name, client, peer }: Omit<Member, "child">, rest: readonly string[]): ChildProcess {
  const [own, others] = [`http://127.0.0.1:${client}`, `http://127.0.0.1:${peer}`];
  const urls = ["--listen-client-urls", own, "--advertise-client-urls", own];
  const peers = ["--listen-peer-urls", others, "--initial-advertise-peer-urls", others];
  return spawn("etcd", ["--name", name, ...urls, ...peers, ...rest], { stdio: "ignore" });
}

interface Status {
  readonly leader: string;
  readonly member: string;
}

async function statusOf({ client }: Member): Promise<Status | undefined> {
  try {
    const response = await fetch(`http://127.0.0.1:${client}/v3/maintenance/status`, {
      method: "POST",
      body: "{}",
    });
    const { leader = "0", header } = await response.json();
    return { leader: String(leader), member: String(header.member_id) };
  } catch {
    return undefined;
  }
}

async function leads(member: Member): Promise<boolean> {
  const status = await statusOf(member);
  return status !== undefined && status.leader === status.member;
}

/** Resolves at the first of many writes that any of them acknowledges. */
async function acknowledged(members: readonly Member[]): Promise<void> {
  const done = new AbortController();
  const writes: Promise<void>[] = [];
  while (!done.signal.aborted) {
    for (const member of members)
      writes.push(write(member, done.signal).then((isKept) => (isKept ? done.abort() : undefined)));
    await Promise.race([pause(WRITE_MS), Promise.all(writes)]);
  }
  await Promise.all(writes);
}

async function write({ client }: Member, signal: AbortSignal): Promise<boolean> {
  try {
    const body = JSON.stringify({ key: btoa("key"), value: btoa("value") });
    const response = await fetch(`http://127.0.0.1:${client}/v3/kv/put`, { method: "POST", body, signal });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

/** All answer and name the same leader. */
async function settled(members: readonly Member[]): Promise<void> {
  for (;;) {
    const leaders = new Set(
      (await Promise.all(members.map(statusOf))).map((status) => status?.leader ?? "0"),
    );
    if (leaders.size === 1 && !leaders.has("0")) return;
    await pause(50);
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}
