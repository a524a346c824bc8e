import { errorCode, type PeerId } from "@chorus/kernel";
import { admitCommand, decodeCommand } from "./command.ts";
import type { Components, Control, Coordinator, CoordinatorOptions } from "./contract.ts";
import type { TaskRecord } from "./contract-ports.ts";
import type { OutputChunk, TaskEvent, TaskId, TaskView } from "./contract-task.ts";
import { Controls } from "./controls.ts";
import { DeadlineWatch } from "./deadline-watch.ts";
import { EffectWatch } from "./effects/effect-watch.ts";
import { isOpen } from "./effects/effectors.ts";
import { Mediator } from "./effects/mediator.ts";
import { Entry } from "./entry.ts";
import { StoppedError, UnknownTaskError } from "./errors.ts";
import { LeaseWatch } from "./lease-watch.ts";
import { Offers } from "./offers.ts";
import { OutputLogs } from "./output-logs.ts";
import { OutputReader } from "./output-reader.ts";
import { serveOutput } from "./output-wire.ts";
import { Background, type Follower, type Peer, type Settings } from "./peer.ts";
import { proposer } from "./proposer.ts";
import { Pulse, Pulses } from "./pulse.ts";
import { subjectOf } from "./core/reduce-task.ts";
import { isTaskId } from "./task-id.ts";
import { type ListFilter, listTasks, viewOf, waitingForOf } from "./task-list.ts";
import { isTerminal } from "./core/transitions.ts";
import { OUTPUT_PROTOCOL } from "./wire-names.ts";
import { Worker } from "./worker.ts";

const DEFAULTS = {
  leaseMs: 5000,
  claimStepMs: 100,
  submitWaitMs: 3000,
  ageMs: 60_000,
  outputMemoryBytes: 1_048_576,
};

/** Signatures under check at once; the ledger is not read faster than they are checked. */
const MAX_AUDITS = 64;

/**
 * Joins the mesh's tasks: takes up kept submissions, follows the ledger, claims what this peer can run.
 * Disposing stops all of it and gives held leases back; the components stay the caller's.
 */
export async function coordinator(components: Components, options: CoordinatorOptions): Promise<Coordinator> {
  const live = new LiveCoordinator(components, { ...DEFAULTS, ...options });
  await live.start();
  return live;
}

class LiveCoordinator implements Coordinator {
  readonly #peer: Peer;
  readonly #stop = new AbortController();
  readonly #pulses = new Pulses();
  readonly #logs: OutputLogs;
  readonly #entry: Entry;
  readonly #followers: readonly Follower[];
  readonly #controls: Controls;
  readonly #offers: Offers;
  readonly #reader: OutputReader;
  readonly #audits = new Set<Promise<void>>();
  #outputService: Disposable | undefined;

  constructor(components: Components, settings: Settings) {
    const { ledger, logger } = components;
    const stop = this.#stop.signal;
    const { outputMemoryBytes: memoryBytes = DEFAULTS.outputMemoryBytes, outputDirectory } = settings;
    this.#peer = {
      components,
      settings,
      stop,
      proposer: proposer(components, settings.cluster),
      background: new Background(stop, (name, error) =>
        logger.error("background work failed", { name, error }),
      ),
      session: crypto.randomUUID(),
      disconnects: new Pulse(),
      record: (id) => ledger.state().tasks.get(id),
    };
    this.#logs = new OutputLogs({ memoryBytes, directory: outputDirectory });
    this.#entry = new Entry(this.#peer);
    const mediator = new Mediator(this.#peer);
    const worker = new Worker(this.#peer, this.#logs, mediator);
    const watches = [new LeaseWatch(this.#peer), new DeadlineWatch(this.#peer), new EffectWatch(this.#peer)];
    this.#followers = [this.#entry, worker, mediator, ...watches];
    this.#controls = new Controls(this.#peer, { entry: this.#entry, worker, known: (id) => this.#known(id) });
    this.#offers = new Offers(this.#peer);
    this.#reader = new OutputReader(this.#peer, this.#logs);
  }

  async start(): Promise<void> {
    await this.#entry.open();
    const { components, background, stop } = this.#peer;
    this.#outputService = components.streams.handle(OUTPUT_PROTOCOL, (stream) =>
      serveOutput(stream, ({ task, attempt }) => this.#logs.get(task, attempt), stop),
    );
    background.run("following the ledger", this.#follow());
  }

  submit(
    input: unknown,
    options: { readonly principal: string; readonly idempotencyKey: string; readonly signal: AbortSignal },
  ): ReturnType<Coordinator["submit"]> {
    return this.#entry.submit(input, options);
  }

  get(id: string): TaskView | undefined {
    const record = this.#peer.record(id);
    return record === undefined ? this.#entry.pending().find((view) => view.id === id) : this.#view(record);
  }

  list(filter: ListFilter = {}): readonly TaskView[] {
    const { ledger } = this.#peer.components;
    return listTasks(ledger.state(), this.#entry.pending(), {
      ...filter,
      view: (record) => this.#view(record),
    });
  }

  async *events(
    id: string,
    { from = 1, signal }: { readonly from?: number; readonly signal: AbortSignal },
  ): AsyncGenerator<TaskEvent> {
    const ended = AbortSignal.any([signal, this.#peer.stop]);
    for (let next = from; !ended.aborted; ) {
      const changed = this.#pulses.next(id, ended);
      const record = this.#peer.record(this.#known(id));
      for (const event of record?.events.slice(Math.max(0, next - 1)) ?? []) {
        if (ended.aborted) return;
        yield event;
        next = event.seq + 1;
      }
      if (record !== undefined && isTerminal(record.state)) return;
      await changed;
    }
  }

  async *output(
    id: string,
    options: { readonly attempt?: number; readonly offset?: number; readonly signal: AbortSignal },
  ): AsyncGenerator<OutputChunk> {
    const signal = AbortSignal.any([options.signal, this.#peer.stop]);
    const attempt = options.attempt ?? (await this.#currentAttempt(id, signal));
    if (attempt === undefined) return;
    try {
      yield* this.#reader.read({ task: this.#known(id), attempt, offset: options.offset ?? 0 }, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  cancel(id: string, options: Parameters<Coordinator["cancel"]>[1]): ReturnType<Coordinator["cancel"]> {
    return this.#controls.cancel(id, options);
  }

  pause(id: string, options: Parameters<Coordinator["pause"]>[1]): Promise<Control> {
    return this.#controls.pause(id, options);
  }

  resume(id: string, options: Parameters<Coordinator["resume"]>[1]): Promise<Control> {
    return this.#controls.resume(id, options);
  }

  steer(id: string, options: Parameters<Coordinator["steer"]>[1]): Promise<Control> {
    return this.#controls.steer(id, options);
  }

  takeover(id: string, options: Parameters<Coordinator["takeover"]>[1]): Promise<Control> {
    return this.#controls.takeover(id, options);
  }

  finish(...call: Parameters<Coordinator["finish"]>): Promise<Control> {
    return this.#controls.finish(...call);
  }

  handBack(id: string, options: Parameters<Coordinator["handBack"]>[1]): Promise<Control> {
    return this.#controls.handBack(id, options);
  }

  decideEffect(...call: Parameters<Coordinator["decideEffect"]>): Promise<Control> {
    return this.#controls.decideEffect(...call);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new StoppedError());
    this.#outputService?.[Symbol.dispose]();
    this.#offers[Symbol.dispose]();
    await this.#peer.background.settled();
    this.#logs[Symbol.dispose]();
  }

  /** @throws 'coordinator/unknown-task' */
  #known(id: string): TaskId {
    if (isTaskId(id) && (this.#peer.record(id) !== undefined || this.#entry.keeps(id))) return id;
    throw new UnknownTaskError(id);
  }

  /** The newest attempt, or the first one when it comes; undefined when there never was one. */
  async #currentAttempt(id: string, signal: AbortSignal): Promise<number | undefined> {
    while (!signal.aborted) {
      const changed = this.#pulses.next(id, signal);
      const record = this.#peer.record(this.#known(id));
      if (record !== undefined && record.attempt > 0) return record.attempt;
      if (record !== undefined && isTerminal(record.state)) return undefined;
      await changed;
    }
    return undefined;
  }

  /** A coordinator without its ledger shows a world that stands still: better it stops and says so. */
  async #follow(): Promise<void> {
    const { components, stop } = this.#peer;
    try {
      await this.#followOn(isOfInterest);
      // The state has jumped over entries: whoever watched what ended meanwhile must hear of it.
      while (!stop.aborted) await this.#followOn(() => true);
    } catch (error) {
      if (!stop.aborted) components.logger.error("ledger can no longer be followed", { error });
    } finally {
      this.#stop.abort(new StoppedError());
    }
  }

  /** From the state as it is now, then entry by entry; returns when the ledger has dropped what would come next. */
  async #followOn(matters: (record: TaskRecord) => boolean): Promise<void> {
    const { components, stop } = this.#peer;
    const { ledger } = components;
    const from = ledger.appliedIndex() + 1;
    for (const record of ledger.state().tasks.values()) if (matters(record)) this.#tell(record.id);
    try {
      for await (const { index, command } of ledger.entries({ from, signal: stop })) {
        await ledger.waitFor(index, { signal: stop });
        await this.#hear(command, index);
      }
      this.#stop.abort(new StoppedError());
    } catch (error) {
      if (stop.aborted || errorCode(error) !== "ledger/truncated") throw error;
    }
  }

  async #hear(command: Uint8Array, index: number): Promise<void> {
    const sealed = decodeCommand(command, this.#peer.settings.cluster);
    if (sealed === undefined) return;
    this.#tellOnwards(subjectOf(sealed.command));
    if (this.#audits.size >= MAX_AUDITS) await Promise.race(this.#audits);
    this.#audit(command, { index, from: sealed.from });
  }

  /** The machine takes signatures for granted, being synchronous; here a forged one is found and reported. */
  #audit(command: Uint8Array, entry: { readonly index: number; readonly from: PeerId }): void {
    const { components, settings, background } = this.#peer;
    const audit = admitCommand(command, settings.cluster)
      .then(
        () => undefined,
        () => components.logger.error("ledger entry is not signed by its sender", entry),
      )
      .finally(() => this.#audits.delete(audit));
    this.#audits.add(audit);
    background.run("audit", audit);
  }

  #tell(id: string): void {
    const record = this.#peer.record(id);
    if (record !== undefined) for (const follower of this.#followers) follower.see(record);
    this.#pulses.beat(id);
  }

  /** The end of a task may have let others go, or rejected them, and so on. */
  #tellOnwards(id: string): void {
    const { dependents } = this.#peer.components.ledger.state();
    const told = new Set([id]);
    for (const next of told) {
      this.#tell(next);
      const state = this.#peer.record(next)?.state;
      if (state !== undefined && isTerminal(state))
        for (const one of dependents.get(next) ?? []) told.add(one);
    }
  }

  #view(record: TaskRecord): TaskView {
    const waitingFor = waitingForOf(record, {
      stateOf: (id) => this.#peer.record(id)?.state,
      missing: (spec) => this.#offers.missing(spec),
    });
    return { ...viewOf(record), ...(waitingFor.length === 0 ? {} : { waitingFor }) };
  }
}

/** What has ended, effects and all, needs nobody at the start. */
function isOfInterest({ state, effects }: TaskRecord): boolean {
  return !isTerminal(state) || effects?.some(isOpen) === true;
}
