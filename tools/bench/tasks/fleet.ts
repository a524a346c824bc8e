import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { atExit } from "./at-exit.ts";
import { Child, type Held } from "./child.ts";
import type { Loaded } from "./process.ts";
import type { Setup } from "./queue.ts";

/** What all processes of a fleet have in common, and what differs from place to place. */
export interface FleetPlan extends Omit<Setup, "servers" | "folder"> {
  /** Where servers listen; without them the processes join each other. */
  readonly servers?: readonly string[];
  readonly processes: number;
  /** The places from this one on are observers'. @default none */
  readonly observersFrom?: number;
}

/** What a load came to. */
export interface Measured {
  readonly rate: number;
  /** Milliseconds from submission to known completion, sorted. */
  readonly latencies: readonly number[];
  /** Tasks that came to another end than completion. */
  readonly failed: number;
}

/** The processes of one system that submit and work. Disposing kills them and removes their files. */
export class Fleet implements AsyncDisposable {
  readonly #plan: FleetPlan;
  readonly #folder = mkdtempSync(join(tmpdir(), "bench-tasks-"));
  readonly #children: { readonly child: Child; readonly address: string | undefined }[] = [];
  /** Its processes end by themselves when this one does; their files do not. */
  readonly #guard = atExit(() => this.#remove());
  readonly #held: Held[] = [];
  #onHeld: (() => void) | undefined;

  private constructor(plan: FleetPlan) {
    this.#plan = plan;
  }

  static async start(plan: FleetPlan): Promise<Fleet> {
    const fleet = new Fleet(plan);
    try {
      for (let place = 0; place < plan.processes; place++) await fleet.#fill(place);
      await fleet.ready();
      return fleet;
    } catch (error) {
      await fleet[Symbol.asyncDispose]();
      throw error;
    }
  }

  get children(): readonly Child[] {
    return this.#children.map(({ child }) => child);
  }

  get addresses(): readonly string[] {
    return this.#children.flatMap(({ address }) => address ?? []);
  }

  async ready(): Promise<void> {
    await Promise.all(this.children.map((child) => child.ready()));
  }

  /** Spreads so many callers over the processes; `turn` says who gets the odd ones. */
  async load(lanes: number, ms: number, turn = 0): Promise<Measured> {
    const count = this.#children.length;
    const loads = this.children.map((child, place): Promise<Loaded> => {
      const share = Math.floor((lanes + ((place + turn) % count)) / count);
      return child.load(share, ms);
    });
    const all = await Promise.all(loads);
    const latencies = all.flatMap((one) => one.latencies).toSorted((a, b) => a - b);
    const failed = all.reduce((sum, one) => sum + one.failed, 0);
    const tookMs = Math.max(...all.map((one) => one.tookMs));
    return { rate: (latencies.length / tookMs) * 1000, latencies, failed };
  }

  /** @returns milliseconds from the kill of a worker to the same task's run in another process */
  async takeover(key: string): Promise<{ readonly ms: number; readonly wasLeader: boolean }> {
    await this.children[0]?.hold(key);
    const { by: killed } = await this.#whenHeld(key, undefined);
    const { leads: wasLeader } = await killed.look();
    const from = process.hrtime.bigint();
    await killed.kill();
    const { at } = await this.#whenHeld(key, killed);
    await this.replace(killed);
    return { ms: Number(at - from) / 1e6, wasLeader };
  }

  /** @returns milliseconds from the kill of the leader to the next submission that is kept for good */
  async nextCommit(key: string): Promise<number> {
    const looks = await Promise.all(this.children.map((child) => child.look()));
    const leader = this.children[looks.findIndex(({ leads }) => leads)];
    const survivor = this.children.find((child) => child !== leader);
    if (leader === undefined || survivor === undefined) throw new Error("there is no leader to kill");
    const from = process.hrtime.bigint();
    const killed = leader.kill();
    await survivor.commit(key);
    const ms = Number(process.hrtime.bigint() - from) / 1e6;
    await killed;
    await this.replace(leader);
    return ms;
  }

  /** Starts a process anew in the place, and on the files, of one that was killed. */
  async replace(killed: Child): Promise<void> {
    const place = this.children.indexOf(killed);
    await this.#fill(place);
    await this.children[place]?.ready();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.children.map((child) => child.kill()));
    this.#guard[Symbol.dispose]();
    this.#remove();
  }

  #remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #fill(place: number): Promise<void> {
    const { processes: _, observersFrom = Infinity, servers, ...common } = this.#plan;
    const others = this.#children.flatMap(({ address }, i) => (i === place ? [] : (address ?? [])));
    const child = new Child((held) => {
      this.#held.push(held);
      this.#onHeld?.();
    });
    const setup = {
      ...common,
      servers: servers ?? others,
      folder: join(this.#folder, `${place}`),
      isObserver: place >= observersFrom,
    };
    this.#children[place] = { child, address: undefined };
    this.#children[place] = { child, address: await child.open(setup) };
  }

  /** When this task began to run in another process than the killed one. */
  async #whenHeld(key: string, killed: Child | undefined): Promise<Held> {
    for (;;) {
      const held = this.#held.find((one) => one.key === key && one.by !== killed);
      if (held !== undefined) return held;
      await new Promise<void>((resolve) => {
        this.#onHeld = resolve;
      });
    }
  }
}
