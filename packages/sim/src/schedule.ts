import type { Fault, SimOptions, Target } from "./contract.ts";
import { mix, sequence, type Random } from "./random.ts";

/** Options with nothing left out. */
export type Settings = Required<SimOptions> & { readonly weights: Readonly<Record<Kind, number>> };

type Kind = Fault["kind"] | "pattern";

const DEFAULT_WEIGHTS: Settings["weights"] = {
  crash: 3,
  pause: 1,
  suspend: 1,
  "full-disk": 1,
  // Nothing that trusts its disk survives a disk that lies.
  "lost-sync": 0,
  drift: 1,
  partition: 3,
  cut: 1,
  slow: 1,
  drop: 1,
  duplicate: 1,
  reorder: 1,
  action: 1,
  pattern: 1,
};

export function withDefaults(options: SimOptions): Settings {
  return {
    nodes: 3,
    durationMs: 60_000,
    healMs: 20_000,
    healWithinMs: 10_000,
    faultEveryMs: 2000,
    faultMs: 10_000,
    delayMs: [1, 20],
    drift: 0.01,
    ...options,
    weights: { ...DEFAULT_WEIGHTS, ...options.weights },
  };
}

/** What a schedule may name beside nodes. */
export interface Cast {
  readonly leader: boolean;
  readonly actions: readonly string[];
  readonly patterns: readonly ((random: Random, nodes: number) => readonly Fault[])[];
}

/**
 * The faults of a seed, in order of time. A third come in bursts: the second blow hits where the first still hurts.
 * Each seed leaves about half of the kinds out and has its own pace, since a mixture of everything hides what only a
 * few kinds together bring about (swarm testing, Groce et al. 2012).
 */
export function schedule(seed: number, settings: Settings, cast: Cast): readonly Fault[] {
  const random = sequence(mix(seed, 1));
  const draw = new Draw(random, settings, cast);
  const faults: Fault[] = draw.drifts();
  const end = settings.durationMs - settings.healMs;
  const every = settings.faultEveryMs * 4 ** (random() - 0.5);
  let at = 0;
  for (;;) {
    const burst = random() < 1 / 3;
    at += Math.ceil(random() * (burst ? every / 8 : every * 2.9));
    if (at >= end) return faults.toSorted((a, b) => a.at - b.at);
    faults.push(...draw.faults(at));
  }
}

class Draw {
  readonly #random: Random;
  readonly #settings: Settings;
  readonly #cast: Cast;
  readonly #kinds: readonly (readonly [Kind, number])[];

  constructor(random: Random, settings: Settings, cast: Cast) {
    this.#random = random;
    this.#settings = settings;
    this.#cast = cast;
    const { drift, action, pattern, ...rest } = settings.weights;
    const all = {
      ...rest,
      drift: settings.drift > 0 ? drift : 0,
      action: cast.actions.length > 0 ? action : 0,
      pattern: cast.patterns.length > 0 ? pattern : 0,
    };
    const possible = kinds.filter((kind) => all[kind] > 0);
    const some = possible.filter(() => random() < 0.5);
    this.#kinds = (some.length > 0 ? some : possible).map((kind) => [kind, all[kind]] as const);
  }

  /** Every clock is wrong from the start. */
  drifts(): Fault[] {
    const { weights, drift, nodes, durationMs } = this.#settings;
    if (weights.drift === 0 || drift === 0) return [];
    return Array.from({ length: nodes }, (_, node) => ({
      kind: "drift",
      at: 0,
      forMs: durationMs,
      node,
      rate: this.#rate(),
    }));
  }

  faults(at: number): readonly Fault[] {
    const kind = this.#kind();
    if (kind === undefined) return [];
    if (kind === "pattern") return this.#pattern(at);
    if (kind === "action")
      return [{ kind, at, node: this.#node(), name: this.#action(), choice: this.#random() }];
    const timed = { at, forMs: this.#length() };
    return [strikesNode(kind) ? this.#machine(kind, timed) : this.#network(kind, timed)];
  }

  #pattern(start: number): readonly Fault[] {
    const { patterns } = this.#cast;
    const faults = patterns[this.#below(patterns.length)]?.(this.#random, this.#settings.nodes) ?? [];
    return faults.map((fault) => {
      const at = start + Math.floor(fault.at);
      return "forMs" in fault ? { ...fault, at, forMs: Math.ceil(fault.forMs) } : { ...fault, at };
    });
  }

  #machine(kind: MachineKind, timed: Timed): Fault {
    const node = this.#node();
    if (kind === "crash") return { kind, ...timed, node, unsynced: this.#unsynced(), moment: this.#moment() };
    return kind === "drift" ? { kind, ...timed, node, rate: this.#rate() } : { kind, ...timed, node };
  }

  #network(kind: Exclude<Kind, MachineKind | "action" | "pattern">, timed: Timed): Fault {
    if (kind === "partition") return { kind, ...timed, side: this.#side() };
    if (kind === "cut") return { kind, ...timed, ...this.#link() };
    if (kind === "slow") return { kind, ...timed, ...this.#link(), byMs: this.#late() };
    return { kind, ...timed, chance: this.#percent(0.5) };
  }

  #kind(): Kind | undefined {
    let left = this.#random() * this.#kinds.reduce((sum, [, weight]) => sum + weight, 0);
    return this.#kinds.find(([, weight]) => (left -= weight) < 0)?.[0];
  }

  /** Many short ones, few long ones. */
  #length(): number {
    return 1 + Math.floor(this.#random() ** 2 * this.#settings.faultMs);
  }

  #node(): Target {
    return this.#cast.leader && this.#random() < 0.4 ? "leader" : this.#below(this.#settings.nodes);
  }

  #side(): readonly Target[] {
    if (this.#cast.leader && this.#random() < 0.3) return ["leader"];
    const all = Array.from({ length: this.#settings.nodes }, (_, node) => node);
    const side = all.filter(() => this.#random() < 0.5);
    return side.length > 0 && side.length < all.length ? side : [this.#below(all.length)];
  }

  #link(): { readonly from: Target; readonly to: Target } {
    const { nodes } = this.#settings;
    const one = this.#node();
    const other = this.#below(nodes);
    const two = other === one ? (other + 1) % nodes : other;
    return this.#random() < 0.5 ? { from: one, to: two } : { from: two, to: one };
  }

  #unsynced(): "kept" | "lost" | "torn" {
    const fate = this.#random();
    return fate < 0.4 ? "kept" : fate < 0.7 ? "lost" : "torn";
  }

  #moment(): "now" | "at-sync" {
    return this.#random() < 0.25 ? "at-sync" : "now";
  }

  #late(): number {
    return Math.ceil(this.#random() ** 2 * 2000);
  }

  #rate(): number {
    const { drift } = this.#settings;
    return Math.round((1 + (2 * this.#random() - 1) * drift) * 10_000) / 10_000;
  }

  #percent(most: number): number {
    return Math.ceil(this.#random() * most * 100) / 100;
  }

  #action(): string {
    const { actions } = this.#cast;
    return actions[this.#below(actions.length)] ?? "";
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }
}

type MachineKind = "crash" | "pause" | "suspend" | "full-disk" | "lost-sync" | "drift";
type Timed = { readonly at: number; readonly forMs: number };

function strikesNode(kind: Kind): kind is MachineKind {
  return ["crash", "pause", "suspend", "full-disk", "lost-sync", "drift"].includes(kind);
}

const kinds = Object.keys(DEFAULT_WEIGHTS).map((kind) => kindOf(kind));

function kindOf(text: string): Kind {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys of a record over the kinds
  return text as Kind;
}
