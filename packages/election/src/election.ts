import { type Canonical, errorCode, type PeerId } from "@chorus/kernel";
import { sameVoters } from "./config.ts";
import type {
  Admin,
  Election,
  ElectionComponents,
  ElectionConfig,
  ElectionEvent,
  ElectionOptions,
  EquivocationProof,
} from "./contract.ts";
import { start } from "./core/start.ts";
import { adminOf, type State } from "./core/state.ts";
import { drive, type Driver, type Outgoing } from "./driver.ts";
import { Events } from "./events.ts";
import { GOSSIP, Intake } from "./intake.ts";
import { checkFit, parseOptions } from "./options.ts";
import { SuspendWatch } from "./suspend-watch.ts";
import { type Transport, transport } from "./transport.ts";
import { Watch } from "./watch.ts";
import { type Message, TOPIC } from "./wire.ts";
import { canonicalCertificate, canonicalProof } from "./wire-parts.ts";

/**
 * Takes part in the mesh's election. Resolves when it runs; a mesh's only voter is admin a moment later.
 * @throws `election/wrong-store` when the stored vote belongs to another mesh or another set of voters
 * @throws InvalidInputError naming an option that is missing, unknown or out of range
 */
export async function election(components: ElectionComponents, options: ElectionOptions): Promise<Election> {
  const logger = components.logger.child({ package: "election" });
  const chosen = parseOptions(options, components.log);
  const stored = await components.store.load();
  const seed = Math.floor(components.random() * 2 ** 31);
  const now = components.clock.monotonic();
  const { peer: self } = components.signer;
  const first = start({ self, stored, seed, now, ...chosen });
  checkFit(first, chosen, stored);
  return new RunningElection(first, { ...components, logger });
}

class RunningElection implements Election {
  readonly #components: ElectionComponents;
  readonly #admins = new Watch<Admin | undefined>(undefined);
  readonly #events = new Events<ElectionEvent>();
  readonly #ending = new AbortController();
  readonly #suspends: SuspendWatch;
  readonly #intake: Intake;
  readonly #transport: Transport;
  readonly #driver: Driver;
  readonly #listening: readonly Promise<void>[];
  #state: State;
  #hasForgotten = false;

  constructor(first: State, components: ElectionComponents) {
    const { streams, pubsub, clock, logger } = components;
    const { timing, config } = first;
    this.#components = components;
    this.#state = first;
    // The margin between lease and timeout bears as much from each beat of a lease to the next.
    this.#suspends = new SuspendWatch(clock, (timing.timeout - timing.lease) / 5);
    this.#intake = new Intake({
      state: () => this.#state,
      push: (input) => this.#driver.push(input),
      report: (proof) => this.#report(proof),
      leftBehind: (event) => this.#leftBehind(event),
      logger,
    });
    this.#transport = transport(components, (from, message) => this.#intake.onMessage(from, message));
    this.#driver = drive(first, {
      ...components,
      suspends: this.#suspends,
      emit: (effect) => this.#emit(effect),
      send: (to, message) => this.#send(to, message),
      publish: (state) => this.#publish(state),
    });
    this.#listening = [
      follow(pubsub.subscribe(TOPIC, this.#ending), (envelope) => this.#intake.onGossip(envelope)),
      follow(streams.changes(this.#ending), async ({ peer, connected }) => {
        if (!connected) this.#transport.drop(peer);
        await this.#driver.push({ kind: connected ? "connected" : "disconnected", peer });
      }),
    ];
    const { founding, version } = config ?? { founding: "", version: 0 };
    this.#transport.broadcast({ kind: "probe", founding, version });
  }

  admin(): Admin | undefined {
    if (this.#state.role === "admin" && this.#suspends.slept()) return undefined;
    const certificate = adminOf(this.#state, this.#components.clock.monotonic());
    return certificate && { peer: certificate.candidate, term: certificate.term, certificate };
  }

  isAdmin(): boolean {
    return this.#state.role === "admin" && this.admin() !== undefined;
  }

  term(): number {
    return this.#state.term;
  }

  config(): ElectionConfig | undefined {
    return this.#state.config;
  }

  changes({ signal }: { readonly signal: AbortSignal }): AsyncIterable<Admin | undefined> {
    return this.#admins.changes(signal);
  }

  events({ signal }: { readonly signal: AbortSignal }): AsyncIterable<ElectionEvent> {
    return this.#events.follow(signal);
  }

  async handOver(): Promise<void> {
    const { role, term, config } = this.#state;
    await this.#driver.push({ kind: "hand-over" });
    if (role !== "admin") return;
    const done = new AbortController();
    const { beat } = this.#state.timing;
    const others = (config?.voters.length ?? 0) > 1;
    const late = this.#components.clock.sleep(others ? 2 * beat : beat, { signal: done.signal });
    const told = others ? this.#succeeded(term, done.signal) : this.#transport.flush();
    await Promise.race([told, late.catch(() => undefined)]);
    done.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#driver.stop();
    this.#admins.end();
    this.#events.end();
    await this.#transport[Symbol.asyncDispose]();
    await Promise.all(this.#listening);
  }

  /** Resolves when an admin of a later term is known: this peer's vote may be needed until then. */
  async #succeeded(term: number, signal: AbortSignal): Promise<void> {
    for await (const admin of this.#admins.changes(signal))
      if (admin !== undefined && admin.term > term) return;
  }

  #publish(state: State): void {
    const { config: old } = this.#state;
    this.#state = state;
    const { config } = state;
    if (config !== undefined && (old === undefined || !sameVoters(old, config)))
      this.#events.push({ kind: "config", config });
    const [before, admin] = [this.#admins.value, this.admin()];
    if (admin?.term !== before?.term || admin?.peer !== before?.peer) this.#admins.set(admin);
  }

  #send(to: PeerId, message: Message): void {
    this.#transport.send(to, message).catch((error: unknown) => {
      this.#components.logger.debug("message not sent", { to, kind: message.kind, code: errorCode(error) });
      if (message.kind === "probe") void this.#driver.push({ kind: "unreachable", peer: to });
    });
  }

  #gossip(type: string, body: Canonical): void {
    this.#components.pubsub
      .publish(TOPIC, type, body)
      .catch((error: unknown) =>
        this.#components.logger.debug("announcement not sent", { type, code: errorCode(error) }),
      );
  }

  #report(proof: EquivocationProof): void {
    const { voter, term } = proof;
    this.#components.logger.error("a voter signed two votes in one term", { voter, term });
    this.#events.push({ kind: "equivocation", proof });
    this.#gossip(GOSSIP.equivocation, canonicalProof(proof));
  }

  #leftBehind(event: ElectionEvent & { kind: "left-behind" }): void {
    const { own, theirs } = event;
    this.#components.logger.error(
      "too many changes of the voters were missed: the vote store must be removed",
      {
        own,
        theirs,
      },
    );
    this.#events.push(event);
  }

  #forgotten(): void {
    if (this.#hasForgotten) return;
    this.#hasForgotten = true;
    this.#components.logger.error(
      "the vote store of a voter is empty: this peer does not vote; give it a new identity",
    );
    this.#events.push({ kind: "forgotten" });
  }

  #presence(uptimeMs: number): void {
    const { role, settings, config } = this.#state;
    this.#gossip(GOSSIP.presence, {
      role: role === "observer" ? "observer" : "voter",
      uptimeMs,
      wants: settings.mayVote,
      eligible: settings.eligible,
      priority: settings.priority,
      founding: config?.founding ?? "",
    });
  }

  /** Carries out what needs no answer; failures are ordinary weather in a mesh. */
  #emit(effect: Outgoing): void {
    const { logger } = this.#components;
    if (effect.kind === "send") this.#send(effect.to, effect.message);
    else if (effect.kind === "broadcast") this.#transport.broadcast(effect.message);
    else if (effect.kind === "announce")
      this.#gossip(GOSSIP.certificate, canonicalCertificate(effect.certificate));
    else if (effect.kind === "presence") this.#presence(effect.uptimeMs);
    else if (effect.kind === "transition")
      logger.info("role changed", { from: effect.from, to: effect.to, cause: effect.cause });
    else if (effect.kind === "equivocation") this.#intake.onConflict(effect.one, effect.other);
    else if (effect.kind === "folded") {
      logger.warn("mesh was taken in by another", { from: effect.from, into: effect.into });
      this.#events.push(effect);
    } else if (effect.kind === "forgotten") this.#forgotten();
    else
      logger.warn("certificate refused", {
        term: effect.certificate.term,
        candidate: effect.certificate.candidate,
        founding: effect.certificate.config.founding,
      });
  }
}

async function follow<T>(source: AsyncIterable<T>, handle: (item: T) => Promise<void>): Promise<void> {
  for await (const item of source) await handle(item);
}
