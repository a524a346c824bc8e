import type { Host, Process } from "@chorus/sim";
import { Clients } from "./clients.ts";
import type { Run } from "./run.ts";
import type { TargetMessage, Wire } from "./wire.ts";

/** The node behind the peers: those who ask for tasks, and the targets of effects. Faults strike it as they strike any other. */
export class Outside implements Process<Wire> {
  readonly #clients: Clients;
  readonly #host: Host<Wire>;
  readonly #run: Run;

  constructor(host: Host<Wire>, run: Run) {
    this.#clients = new Clients(host, run);
    this.#host = host;
    this.#run = run;
  }

  message(from: number, wire: Wire): void {
    if (wire.via === "client") this.#clients.message(wire.message);
    else if (wire.via === "target" && wire.message.kind === "ask") this.#answer(from, wire.message);
  }

  /** A call arrives once: the transport below it sees to that. It may arrive when its caller is long gone. */
  #answer(from: number, { call, asked }: TargetMessage & { kind: "ask" }): void {
    const told = this.#run.targets.call(call, asked);
    if (told !== undefined) this.#host.send(from, { via: "target", message: { kind: "told", call, told } });
  }
}
