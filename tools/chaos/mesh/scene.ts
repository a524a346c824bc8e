import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../../sim/random.ts";
import { wholeSince } from "./check-whole.ts";
import type { Fleet } from "./fleet.ts";
import { type History, type Moment, moment } from "./history.ts";
import { starved } from "./starvation.ts";
import { CALM_MS, electionBound, HEAL_MS } from "./timing.ts";

/** How much later than the bound is still waited for, so that lateness shows in the history. */
const LATE_MS = 2_000;
/** On a machine that lets its processes starve, no longer than this. */
const PATIENCE_MS = 120_000;
const RECENT_MS = 1_000;

/** Who counts while a fault lasts. */
export interface Survivors {
  readonly fault: string;
  /** Their leases count. */
  readonly members: readonly number[];
  /** Since when they can talk. */
  readonly from: Moment;
  readonly boundMs: number;
  /** Whether they lost their admin. */
  readonly orphaned: boolean;
}

/** A mesh in the hands of a fault: draws, waits, and writes down what may be demanded. */
export class Scene {
  readonly fleet: Fleet;
  readonly chance: Random;

  constructor(fleet: Fleet, chance: Random) {
    this.fleet = fleet;
    this.chance = chance;
  }

  get boundMs(): number {
    return electionBound(this.fleet.peers.length);
  }

  others(than: readonly number[]): readonly number[] {
    return this.fleet.peers.filter((peer) => !than.includes(peer));
  }

  /** So many of them, by chance. */
  some(from: readonly number[], count: number): readonly number[] {
    const left = [...from];
    return Array.from({ length: count }, () => left.splice(this.chance.below(left.length), 1)).flat();
  }

  async pause(belowMs: number, leastMs = 0): Promise<void> {
    await sleep(leastMs + this.chance.below(belowMs));
  }

  /** The admin of a mesh that is whole, at a moment that has nothing to do with its beats. */
  async admin(): Promise<number> {
    await this.pause(1_000);
    let admin: number | undefined;
    await this.fleet.until(() => {
      admin = this.fleet.admin(moment() - RECENT_MS);
      return admin !== undefined;
    }, PATIENCE_MS);
    if (admin === undefined) throw new Error("a whole mesh has no admin");
    return admin;
  }

  begin(fault: string, target: number): Moment {
    const at = moment();
    this.fleet.runner.push({ kind: "fault", at, fault, target: String(target) });
    return at;
  }

  /** Waits until the survivors have an admin, lets the fault last for a drawn time, and demands the bound. */
  async survive(survivors: Survivors, lasting: () => Promise<void>): Promise<void> {
    const { fault, members, from, boundMs, orphaned } = survivors;
    await this.#within(
      boundMs,
      { from, members: members.map(String) },
      () => this.fleet.admin(from, members) !== undefined,
    );
    await lasting();
    this.fleet.runner.push({
      kind: "quorum",
      fault,
      members: members.map(String),
      from,
      to: moment(),
      boundMs,
      orphaned,
    });
  }

  /** From now on nothing is wrong: waits until the mesh is whole, calm, and has an admin. @returns whether it became so */
  async heal(fault: string): Promise<boolean> {
    const { fleet } = this;
    const healedAt = moment();
    const members = fleet.peers.map(String);
    const whole = await this.#within(HEAL_MS + CALM_MS, { from: healedAt, members }, ({ peers }) => {
      const { since } = wholeSince(peers, healedAt, moment());
      const calm = since !== undefined && since + CALM_MS <= moment();
      return calm && fleet.admin(moment() - RECENT_MS) !== undefined;
    });
    const until = moment();
    fleet.history();
    fleet.runner.push(
      { kind: "healed", fault, healedAt, until, boundMs: HEAL_MS },
      {
        kind: "quorum",
        fault: `after ${fault}`,
        members,
        from: healedAt,
        to: until,
        boundMs: this.boundMs,
        orphaned: false,
      },
    );
    return whole;
  }

  /** Waits for so long, and a little more, of the time in which these could run. @returns whether it came to hold */
  async #within(
    boundMs: number,
    { from, members }: { readonly from: Moment; readonly members: readonly string[] },
    holds: (history: History) => boolean,
  ): Promise<boolean> {
    let held = false;
    await this.fleet.until((history) => {
      held = holds(history);
      const to = moment();
      return held || to - from - starved(history.peers, members, { from, to }) > boundMs + LATE_MS;
    }, PATIENCE_MS);
    return held;
  }
}
