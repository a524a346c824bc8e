import type { Host, Process } from "@chorus/sim";
import { Clients } from "./clients.ts";
import type { Run } from "./run.ts";
import type { Wire } from "./wire.ts";

/** The node behind the peers: those who ask for tasks. Faults strike it as they strike any other. */
export class Outside implements Process<Wire> {
  readonly #clients: Clients;

  constructor(host: Host<Wire>, run: Run) {
    this.#clients = new Clients(host, run);
  }

  message(_from: number, wire: Wire): void {
    if (wire.via === "client") this.#clients.message(wire.message);
  }
}
