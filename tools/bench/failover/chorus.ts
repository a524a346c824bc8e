import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PeerId } from "@chorus/kernel";
import type { Report } from "./chorus-peer.ts";
import type { Cluster } from "./contender.ts";

interface Peer {
  readonly folder: string;
  readonly child: ChildProcess;
  readonly name: PeerId;
  readonly address: string;
  admin: PeerId | undefined;
  leads: boolean;
  at: bigint;
}

/** Three voters with the `lan` profile, over real sockets and disks. */
export async function chorusCluster(): Promise<Cluster> {
  const folder = mkdtempSync(join(tmpdir(), "bench-failover-"));
  const peers: Peer[] = [];
  const changed = new EventTarget();
  const start = async (own: string): Promise<Peer> => {
    const bootstrap = peers.map(({ address }) => address);
    const execArgv = ["--conditions=@chorus/source", "--disable-warning=ExperimentalWarning"];
    const child = fork(join(import.meta.dirname, "chorus-peer.ts"), [own, ...bootstrap], { execArgv });
    const report = await firstReport(child);
    const peer = {
      folder: own,
      child,
      name: report.peer,
      address: report.address,
      admin: undefined,
      leads: false,
      at: 0n,
    };
    return follow(peer, changed);
  };
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) await once(changed, "change");
  };
  for (const name of ["a", "b", "c"]) peers.push(await start(join(folder, name)));
  const voters = peers.map(({ name }) => name);
  for (const { child } of peers) child.send({ voters });
  const agree = (): boolean => {
    const leader = peers.find(({ leads }) => leads);
    return leader !== undefined && peers.every(({ admin }) => admin === leader.name);
  };
  await until(agree);
  return {
    async failover() {
      const i = peers.findIndex(({ leads }) => leads);
      const [killed] = peers.splice(i, 1);
      if (killed === undefined) throw new Error("there is no admin to kill");
      const from = process.hrtime.bigint();
      await end(killed.child);
      await until(() => peers.some(({ leads }) => leads));
      const next = peers.find(({ leads }) => leads);
      const again = await start(killed.folder);
      peers.push(again);
      again.child.send({ voters });
      await until(agree);
      return Number((next?.at ?? from) - from) / 1e6;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(peers.map(({ child }) => end(child)));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** @throws Error when the process ends before it has started, or says something else first */
function firstReport(child: ChildProcess): Promise<Report & { kind: "started" }> {
  return new Promise((resolve, reject) => {
    const onExit = (): void => reject(new Error("a voter ended before it had started"));
    child.once("exit", onExit);
    child.once("message", (report: Report) => {
      child.off("exit", onExit);
      if (report.kind === "started") resolve(report);
      else reject(new Error("a voter spoke before it had started"));
    });
  });
}

function follow(peer: Peer, changed: EventTarget): Peer {
  peer.child.on("message", (report: Report) => {
    if (report.kind !== "admin") return;
    peer.admin = report.peer;
    peer.leads = report.self;
    peer.at = BigInt(report.at);
    changed.dispatchEvent(new Event("change"));
  });
  return peer;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}
