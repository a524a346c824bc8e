import type { PeerId } from "@chorus/kernel";
import type { Host, Process } from "@chorus/sim";
import { adminOf } from "@chorus/election/testing";
import { ElectionPeer, type Mesh, nameOf } from "../election/peer.ts";
import { StackCoordinator } from "./coordinator.ts";
import type { Rules, StoredEntry } from "./ledger-core.ts";
import { StackLedger } from "./ledger.ts";
import type { Run } from "./run.ts";
import type { TargetMessage, Wire } from "./wire.ts";

/** What all peers of a run have in common. */
export interface Stack {
  readonly mesh: Mesh;
  readonly ledgerRules: Rules;
  readonly run: Run;
  /** The name of the driver's rule that is missing. */
  readonly mutant: string | undefined;
}

/** One whole agent: election, ledger, tasks. */
export class StackPeer implements Process<Wire> {
  readonly election: ElectionPeer;
  readonly ledger: StackLedger;
  readonly coordinator: StackCoordinator;
  readonly #host: Host<Wire>;
  readonly #stack: Stack;
  readonly #self: PeerId;
  #led = 0;

  constructor(host: Host<Wire>, stack: Stack) {
    this.#host = host;
    this.#stack = stack;
    const { peers } = stack.mesh;
    this.#self = nameOf(peers, host.self);
    const peersOnly = { ...host, nodes: host.nodes - 1 };
    this.election = new ElectionPeer(
      {
        ...peersOnly,
        send: (to, wire) => host.send(to, { via: "election", wire }),
        after: (delayMs, callback) =>
          host.after(delayMs, () => {
            callback();
            this.#turn();
          }),
      },
      { ...stack.mesh, asked: { answer: (question, reply) => this.ledger.answer(question, reply) } },
    );
    this.coordinator = new StackCoordinator(host, { ...stack, self: this.#self, ledger: () => this.ledger });
    const { run, ledgerRules: rules, mutant } = stack;
    this.ledger = new StackLedger(host, {
      rules,
      peers,
      mutant,
      leadership: {
        admin: () => this.#admin(),
        isAdmin: () => this.election.holdsLease(),
        term: () => this.election.state.term,
        voters: () => this.election.state.config?.voters.map(({ peer }) => peer) ?? [this.#self],
      },
      apply: (entry) => this.#apply(entry),
      restore: (index) => this.#restore(index),
      installed: (index) => run.installed(host.self, index),
      flushed: (keep, entries) => run.flushed(host.self, keep, entries),
    });
    this.coordinator.start();
    this.#turn();
  }

  message(from: number, wire: Wire): void {
    if (wire.via === "election") this.election.message(from, wire.wire);
    else if (wire.via === "ledger") this.ledger.onFrame(from, wire);
    else if (wire.via === "target") this.#told(wire.message);
    else if (wire.via === "client") this.coordinator.onClient(from, wire.message);
    this.#turn();
  }

  connection(node: number, open: boolean): void {
    if (node === this.#host.nodes - 1) return;
    this.election.connection(node, open);
    this.coordinator.onConnection(node, open);
    if (!open) this.ledger.onDisconnect(node);
    this.#turn();
  }

  /** A snapshot of the machine is a function of the log's head, which the run knows. @returns the names in it */
  #restore(index: number): readonly string[] {
    const steps = this.#stack.run.history.steps.slice(0, index);
    this.coordinator.restore(steps);
    return steps.map(({ entry }) => entry.id);
  }

  #told(message: TargetMessage): void {
    if (message.kind === "told") this.coordinator.calls.onAnswer(message.call, message.told);
  }

  #admin(): { readonly peer: PeerId; readonly term: number } | undefined {
    const { state } = this.election;
    if (state.role === "admin" && !this.election.holdsLease()) return undefined;
    const certificate = adminOf(state, this.election.time());
    return certificate && { peer: certificate.candidate, term: certificate.term };
  }

  #turn(): void {
    this.ledger.turn();
    const { role, term } = this.ledger.log.core;
    if (role !== "leader" || term === this.#led) return;
    this.#led = term;
    this.#stack.run.leads(this.#host.self, term);
  }

  #apply(entry: StoredEntry): void {
    const core = this.ledger?.log?.core;
    const by = {
      node: this.#host.self,
      term: core?.term ?? 0,
      voters: core?.voters ?? [],
      note: this.#host.note,
    };
    const step = this.#stack.run.apply(entry, by);
    if (step !== undefined) this.coordinator.apply(step);
  }
}
