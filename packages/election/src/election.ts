import { type Canonical, errorCode, InvalidInputError, type PeerId } from "@chorus/kernel";
import { voterOf } from "./config.ts";
import type {
  Admin,
  Election,
  ElectionComponents,
  ElectionConfig,
  ElectionOptions,
  VoteState,
} from "./contract.ts";
import { start } from "./core/start.ts";
import { adminOf, PROFILES, type State } from "./core/state.ts";
import { drive, type Driver, type Outgoing } from "./driver.ts";
import { WrongStoreError } from "./errors.ts";
import { GOSSIP, intake } from "./intake.ts";
import { type Transport, transport } from "./transport.ts";
import { Watch } from "./watch.ts";
import { canonicalCertificate, type Message, TOPIC } from "./wire.ts";

/**
 * Takes part in the mesh's election. Resolves when it runs; a mesh's only voter is admin a moment later.
 * @throws `election/wrong-store` when the stored vote belongs to another mesh or another set of voters
 */
export async function election(components: ElectionComponents, options: ElectionOptions): Promise<Election> {
  const logger = components.logger.child({ package: "election" });
  const { cluster, role, voters } = options;
  const timing = PROFILES[options.profile ?? "lan"];
  const stored = await components.store.load();
  const seed = Math.floor(components.random() * 2 ** 31);
  const now = components.clock.monotonic();
  const first = start({ self: components.signer.peer, stored, timing, seed, cluster, role, voters, now });
  check(first, options, stored);
  return new RunningElection(first, { ...components, logger });
}

class RunningElection implements Election {
  readonly #components: ElectionComponents;
  readonly #admins = new Watch<Admin | undefined>(undefined);
  readonly #ending = new AbortController();
  readonly #transport: Transport;
  readonly #driver: Driver;
  readonly #listening: readonly Promise<void>[];
  #state: State;

  constructor(first: State, components: ElectionComponents) {
    const { streams, pubsub } = components;
    this.#components = components;
    this.#state = first;
    const incoming = intake({
      state: () => this.#state,
      push: (input) => this.#driver.push(input),
      logger: components.logger,
    });
    this.#transport = transport(components, incoming.onMessage);
    this.#driver = drive(first, {
      ...components,
      emit: (effect) => this.#emit(effect),
      deliverVote: ({ candidate, term }, signature) =>
        this.#send(candidate, { kind: "vote-reply", term, granted: true, signature }),
      publish: (state) => this.#publish(state),
    });
    this.#listening = [
      follow(pubsub.subscribe(TOPIC, this.#ending), incoming.onGossip),
      follow(streams.changes(this.#ending), async ({ peer, connected }) => {
        if (!connected) this.#transport.drop(peer);
        await this.#driver.push({ kind: connected ? "connected" : "disconnected", peer });
      }),
    ];
    this.#transport.broadcast({ kind: "probe" });
  }

  admin(): Admin | undefined {
    const certificate = adminOf(this.#state, this.#components.clock.monotonic());
    return certificate && { peer: certificate.candidate, term: certificate.term, certificate };
  }

  isAdmin(): boolean {
    return this.#state.role === "admin" && this.admin() !== undefined;
  }

  config(): ElectionConfig | undefined {
    return this.#state.config;
  }

  changes({ signal }: { readonly signal: AbortSignal }): AsyncIterable<Admin | undefined> {
    return this.#admins.changes(signal);
  }

  async handOver(): Promise<void> {
    await this.#driver.push({ kind: "hand-over" });
    const told = new AbortController();
    const late = this.#components.clock.sleep(this.#state.timing.beat, { signal: told.signal });
    await Promise.race([this.#transport.flush(), late.catch(() => undefined)]);
    told.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#driver.stop();
    this.#admins.end();
    await this.#transport[Symbol.asyncDispose]();
    await Promise.all(this.#listening);
  }

  #publish(state: State): void {
    this.#state = state;
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

  /** Carries out what needs no answer; failures are ordinary weather in a mesh. */
  #emit(effect: Outgoing): void {
    const { logger } = this.#components;
    if (effect.kind === "send") this.#send(effect.to, effect.message);
    else if (effect.kind === "broadcast") this.#transport.broadcast(effect.message);
    else if (effect.kind === "announce")
      this.#gossip(GOSSIP.certificate, canonicalCertificate(effect.certificate));
    else if (effect.kind === "presence")
      this.#gossip(GOSSIP.presence, {
        role: this.#state.role === "observer" ? "observer" : "voter",
        uptimeMs: effect.uptimeMs,
      });
    else if (effect.kind === "transition")
      logger.info("role changed", { from: effect.from, to: effect.to, cause: effect.cause });
    else
      logger.error("two admins were elected in one term", {
        term: effect.one.term,
        candidates: [effect.one.candidate, effect.other.candidate],
      });
  }
}

function check({ self, config }: State, options: ElectionOptions, stored: VoteState | undefined): void {
  const { cluster, role } = options;
  if (stored?.config !== undefined && stored.config.cluster !== cluster)
    throw new WrongStoreError("it belongs to another mesh", { stored: stored.config.cluster, cluster });
  const votes = voterOf(config, self) !== undefined;
  if (votes === (role === "voter")) return;
  if (stored?.config !== undefined)
    throw new WrongStoreError(`its voters do not allow the role ${role}`, { role, peer: self });
  throw new InvalidInputError(
    "voters",
    role === "voter" ? "must contain this peer" : "must not contain an observer",
  );
}

async function follow<T>(source: AsyncIterable<T>, handle: (item: T) => Promise<void>): Promise<void> {
  for await (const item of source) await handle(item);
}
