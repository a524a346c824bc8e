import { createSigner, type PeerId, type Signer, silentLogger, systemClock } from "@chorus/kernel";
import { type MemoryNetwork, type MemoryPeer, memoryNetwork } from "@chorus/kernel/testing";
import type { Ledger, LedgerOptions, LogStore } from "../contract.ts";
import { electedLog } from "../elected-log.ts";
import { ledger } from "../ledger.ts";
import { type FakeLeadership, fakeLeadership } from "./fake-leadership.ts";
import { listMachine } from "./list-machine.ts";

/** Makes the disks of a mesh. */
export interface LedgerBench {
  /** The store of one member, by number; it has the same content after the one before was disposed. */
  open(member: number): LogStore;
}

/** A member of a mesh under test. */
export interface MeshMember {
  readonly peer: PeerId;
  readonly log: Ledger<readonly string[], number>;
  readonly disk: TestDisk;
  readonly at: MemoryPeer;
}

/** A store whose writes can be held back, can fail, or end with the process that made them. */
export class TestDisk {
  readonly store: LogStore;
  /** Awaited after entries or a snapshot have reached the disk and before the writer knows. */
  afterWrite: (entries: number) => Promise<void> = async () => undefined;
  #dead = false;

  constructor(inner: LogStore) {
    const alive = (): void => {
      if (this.#dead) throw new Error("the process is dead");
    };
    const written = async (write: Promise<void>, entries: number): Promise<void> => {
      await write;
      await this.afterWrite(entries);
      alive();
    };
    this.store = {
      last: () => inner.last(),
      committed: () => inner.committed(),
      base: () => inner.base(),
      founding: () => inner.founding(),
      adopt: async (founding) => {
        alive();
        await inner.adopt(founding);
      },
      snapshot: () => inner.snapshot(),
      staged: () => inner.staged(),
      read: (from, limit) => inner.read(from, limit),
      readParts: (of, from, limit) => inner.readParts(of, from, limit),
      append: async (entries, committed) => {
        alive();
        const appended = inner.append(entries, committed);
        await (entries.length === 0 ? appended : written(appended, entries.length));
      },
      truncateAfter: async (index) => {
        alive();
        await inner.truncateAfter(index);
      },
      stage: async (name, from, parts) => {
        alive();
        await inner.stage(name, from, parts);
      },
      unstage: async () => {
        alive();
        await inner.unstage();
      },
      install: async (head, base) => {
        alive();
        await written(inner.install(head, base), 0);
      },
      sweep: async () => {
        alive();
        return inner.sweep();
      },
      [Symbol.dispose]: () => inner[Symbol.dispose](),
    };
  }

  kill(): void {
    this.#dead = true;
  }
}

/** Voters first, then a learner, and one more that joins late, in one process; the test decides who hears whom, who leads, who dies. */
export class LedgerMesh implements AsyncDisposable {
  readonly network: MemoryNetwork = memoryNetwork();
  readonly leads: FakeLeadership;
  readonly peers: readonly PeerId[];
  readonly #bench: LedgerBench;
  readonly #signers: readonly Signer[];
  readonly #members = new Map<number, MeshMember>();
  readonly #tuning: LedgerOptions;

  private constructor(
    bench: LedgerBench,
    signers: readonly Signer[],
    { voters, ...tuning }: { readonly voters: number } & LedgerOptions,
  ) {
    this.#bench = bench;
    this.#signers = signers;
    this.#tuning = { commitWindowMs: 0, replicaWaitMs: 0, proposeTimeoutMs: 20_000, ...tuning };
    this.peers = signers.map(({ peer }) => peer);
    this.leads = fakeLeadership({ voters: this.peers.slice(0, voters) });
  }

  static async start(
    bench: LedgerBench,
    options: { readonly voters: number } & LedgerOptions,
  ): Promise<LedgerMesh> {
    const numbers = Array.from({ length: options.voters + 2 }, (_, n) => n);
    const signers = await Promise.all(numbers.map((n) => createSigner(new Uint8Array(32).fill(n + 1))));
    const mesh = new LedgerMesh(bench, signers, options);
    for (const n of numbers.slice(0, -1)) await mesh.join(n);
    return mesh;
  }

  /** Numbers of the members that live. */
  get alive(): readonly number[] {
    return [...this.#members.keys()];
  }

  member(n: number): MeshMember {
    const member = this.#members.get(n);
    if (member === undefined) throw new Error(`member ${n} is down`);
    return member;
  }

  async join(n: number): Promise<void> {
    const signer = this.#signers[n];
    if (signer === undefined) throw new Error(`there is no member ${n}`);
    const disk = new TestDisk(this.#bench.open(n));
    const at = this.network.join(signer);
    const leadership = this.leads.of(signer.peer);
    const ports = { streams: at.streams, leadership, store: disk.store, machine: listMachine };
    const log = await ledger({ ...ports, clock: systemClock, logger: silentLogger }, this.#tuning);
    this.#members.set(n, { peer: signer.peer, log, disk, at });
  }

  /** Vanishes as a killed process does: nothing is written any more, the disk stays. */
  async kill(n: number): Promise<void> {
    const { at, log, disk } = this.member(n);
    this.#members.delete(n);
    disk.kill();
    at.leave();
    await log[Symbol.asyncDispose]();
    disk.store[Symbol.dispose]();
  }

  /** @returns false when the vote was lost */
  elect(candidate: number, among: readonly number[] = this.alive): Promise<boolean> {
    const logs = among.map((n) => {
      const { peer, disk } = this.member(n);
      return [peer, electedLog(disk.store)] as const;
    });
    return this.leads.elect(this.member(candidate).peer, new Map(logs));
  }

  /** Cuts two groups apart, or heals them. */
  link(way: "cut" | "heal", some: readonly number[], others: readonly number[]): void {
    for (const a of some)
      for (const b of others) {
        const [one, other] = [this.#signers[a], this.#signers[b]];
        if (one !== undefined && other !== undefined) this.network[way](one.peer, other.peer);
      }
  }

  async propose(n: number, command: string, id?: string): Promise<{ index: number; result: number }> {
    const bytes = new TextEncoder().encode(command);
    return this.member(n).log.propose(bytes, id === undefined ? {} : { id });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const n of this.alive) {
      const { log, disk } = this.member(n);
      await log[Symbol.asyncDispose]();
      disk.store[Symbol.dispose]();
    }
  }
}
