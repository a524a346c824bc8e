import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { p2p } from "@chorus/p2p";
import { type History, type Moment, moment, type PeerRecord, type RunnerRecord, Tail } from "./history.ts";
import type { Mutant } from "./mutants.ts";
import type { PeerStart } from "./peer.ts";
import type { Place } from "./places.ts";

/** What a mesh of processes is made from. */
export interface FleetOptions {
  readonly place: Place;
  /** Must exist; belongs to the caller. */
  readonly folder: string;
  readonly peers: number;
  readonly mutant: Mutant | undefined;
}

interface Member {
  readonly label: string;
  readonly folder: string;
  readonly records: PeerRecord[];
  readonly tail: Tail;
  name: string;
  life: number;
  process: ChildProcess | undefined;
}

/** Bootstrap peers of everybody; the others are introduced by them. */
const BOOTSTRAP = 2;
const POLL_MS = 50;
/** Ten processes that start at once on two cores take a while. */
const START_MS = 60_000;
const PEER = fileURLToPath(new URL("peer.ts", import.meta.url));
const FLAGS = ["--conditions=@chorus/source", "--disable-warning=ExperimentalWarning"];

/** Makes the identities, so that the voters are known before any of them runs. Starts no process yet. */
export async function fleet(options: FleetOptions): Promise<Fleet> {
  const members = await Promise.all(
    Array.from({ length: options.peers }, async (_, number): Promise<Member> => {
      const folder = join(options.folder, `peer-${number}`);
      mkdirSync(folder, { mode: 0o700 });
      const tail = new Tail(join(folder, "history.jsonl"));
      const name = await makeIdentity(folder);
      return { label: String(number), folder, records: [], tail, name, life: 0, process: undefined };
    }),
  );
  return new Fleet(options, members);
}

async function makeIdentity(folder: string): Promise<string> {
  const identityFile = join(folder, "identity");
  await using mesh = await p2p({}, { cluster: "chaos", identityFile, listen: [], mdns: false, topics: [] });
  return mesh.signer.peer;
}

/** The processes of one mesh, and what they have written down so far. Disposing kills those that run. */
export class Fleet implements AsyncDisposable {
  readonly place: Place;
  readonly runner: RunnerRecord[] = [];
  readonly #options: FleetOptions;
  readonly #members: readonly Member[];
  readonly #secret = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64");

  constructor(options: FleetOptions, members: readonly Member[]) {
    this.place = options.place;
    this.#options = options;
    this.#members = members;
  }

  get peers(): readonly number[] {
    return this.#members.map((_, number) => number);
  }

  /** Starts a peer, on the disk that it had. Resolves when it votes. */
  async start(number: number): Promise<void> {
    const member = this.#member(number);
    const { before, group } = this.place.launch(number);
    const node = [process.execPath, ...FLAGS, PEER, JSON.stringify(this.#startOf(number, ++member.life))];
    const [program = "", ...words]: readonly string[] = [...before, ...node];
    const output = openSync(join(member.folder, "output.txt"), "a");
    const child = spawn(program, words, {
      stdio: ["pipe", output, output],
      ...(group === undefined ? {} : { gid: group }),
    });
    closeSync(output);
    member.process = child;
    child.once("error", () => this.#ended(member, child, "cannot be started"));
    child.once("exit", (code, signal) => this.#ended(member, child, String(signal ?? code)));
    const { life } = member;
    const up = await this.until(() => {
      const begun = member.records.findLastIndex((record) => record.kind === "life" && record.life === life);
      return begun >= 0 && member.records.slice(begun).some(({ kind }) => kind === "up");
    }, START_MS);
    if (!up) throw new Error(`peer ${number} did not start within ${START_MS / 1000} s`);
  }

  /** Sends a signal; `SIGKILL` and `SIGTERM` end the peer, and this resolves when it is gone. */
  async signal(number: number, signal: "SIGKILL" | "SIGTERM" | "SIGSTOP" | "SIGCONT"): Promise<void> {
    const member = this.#member(number);
    const child = member.process;
    if (child === undefined) return;
    if (signal === "SIGSTOP" || signal === "SIGCONT") {
      child.kill(signal);
      return;
    }
    member.process = undefined;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await gone;
  }

  /** Everything written down until now. */
  history(): History {
    for (const { tail, records, life } of this.#members) if (life > 0) records.push(...tail.next());
    return {
      peers: new Map(this.#members.map(({ label, records }) => [label, records])),
      runner: this.runner,
    };
  }

  /** The peer that acted last, among these and since then. */
  admin(since: Moment, among: readonly number[] = this.peers): number | undefined {
    const { peers } = this.history();
    const last = among.flatMap((number) => {
      const lease = peers.get(String(number))?.findLast((record) => record.kind === "lease");
      return lease !== undefined && lease.from >= since ? [{ number, to: lease.to }] : [];
    });
    return last.toSorted((a, b) => b.to - a.to)[0]?.number;
  }

  /** Waits until something shows in the records. @returns whether it did in time */
  async until(holds: (history: History) => boolean, ms: number): Promise<boolean> {
    for (const end = moment() + ms; ; await sleep(POLL_MS)) {
      if (holds(this.history())) return true;
      if (moment() > end) return false;
    }
  }

  /** At once, without waiting; for a runner that is being ended itself. */
  kill(): void {
    for (const member of this.#members) {
      member.process?.kill("SIGKILL");
      member.process = undefined;
      member.tail.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.peers.map((number) => this.signal(number, "SIGKILL")));
    this.kill();
  }

  #member(number: number): Member {
    const member = this.#members[number];
    if (member === undefined) throw new RangeError(`there is no peer ${number}`);
    return member;
  }

  #startOf(number: number, life: number): PeerStart {
    const { mutant } = this.#options;
    const others = this.peers.slice(0, BOOTSTRAP).filter((other) => other !== number);
    return {
      folder: this.#member(number).folder,
      life,
      cluster: "chaos",
      clusterSecret: this.#secret,
      listen: this.place.address(number),
      bootstrap: others.map((other) => `${this.place.address(other)}/p2p/${this.#member(other).name}`),
      voters: this.#members.map(({ name }) => name),
      ...(mutant === undefined ? {} : { mutant }),
    };
  }

  #ended(member: Member, child: ChildProcess, code: string): void {
    if (member.process !== child) return;
    member.process = undefined;
    this.runner.push({ kind: "died", at: moment(), peer: member.label, code });
  }
}
