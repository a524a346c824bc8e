import type { Host } from "@chorus/sim";
import type { Request } from "./client-book.ts";
import type { Run } from "./run.ts";
import { KINDS, nameOf } from "./target-book.ts";
import type { ClientMessage, Wire } from "./wire.ts";

/** When the last request is made; later, everything is to come to its end. */
const WORK_MS = 20_000;
const EVERY_MS = 1500;
/** Without an answer the next peer is asked. */
const LOOK_MS = 2000;
const PATIENCE_MS = 4500;
/** After `pending`. */
const LATER_MS = 3000;

/** People who ask for tasks at whichever peer answers, ask again, and change their minds. */
export class Clients {
  readonly #host: Host<Wire>;
  readonly #run: Run;

  constructor(host: Host<Wire>, run: Run) {
    this.#host = host;
    this.#run = run;
    for (const request of run.clients.requests) this.#later(request, PATIENCE_MS);
    this.#next();
    this.#decide();
  }

  message(message: ClientMessage): void {
    const { clients } = this.#run;
    if (message.kind === "canceled") clients.canceled(message.task, message.state);
    if (message.kind !== "ack") return;
    const request = clients.requests[message.request];
    if (request === undefined) return;
    clients.acked(request, message.status);
    if (message.status !== "pending" || request.isContent) request.over = true;
  }

  #next(): void {
    const { random, after } = this.#host;
    after(Math.ceil(2 * random() * EVERY_MS), () => {
      if (this.#run.now > WORK_MS) return;
      this.#ask(this.#draw());
      if (random() < 0.15) this.#changeMind();
      this.#next();
    });
  }

  #draw(): Request {
    const { random } = this.#host;
    const { clients } = this.#run;
    const old = clients.requests[Math.floor(random() * clients.requests.length)];
    const isContent = random() < 0.5;
    const attempts = 1 + Math.floor(random() * 3);
    if (old !== undefined && random() < 0.08)
      return clients.open({ ...old, spec: { ...old.spec, goal: "something else" }, isContent });
    const number = clients.requests.length;
    const effects = this.#effects();
    const spec = {
      goal: `reach ${number}`,
      project: "sim",
      attempts,
      ...(effects.length > 0 ? { effects } : {}),
    };
    return clients.open({ principal: "somebody", key: `key-${number}`, spec, isContent });
  }

  #effects(): readonly { readonly [member: string]: string }[] {
    const { random } = this.#host;
    const count = random() < 0.5 ? 0 : 1 + Math.floor(random() * 2);
    return Array.from({ length: count }, (_, i) => ({
      slot: `slot-${i}`,
      kind: KINDS[Math.floor(random() * KINDS.length)] ?? "mail",
      target: "somewhere",
      payload: "output.log",
      ...(random() < 0.1 ? { approval: "human" } : {}),
    }));
  }

  /** Somebody looks after what only a person can decide, and looks at the target first. */
  #decide(): void {
    this.#host.after(LOOK_MS, () => {
      const { history, targets } = this.#run;
      for (const { id, effects = [] } of history.tasks.values())
        for (const { key, slot, ordinal, state } of effects) {
          if (state !== "uncertain" && state !== "awaiting-approval") continue;
          const isDone = targets.times(nameOf(id, slot, ordinal)) > 0;
          const word = isDone ? "done" : this.#host.random() < 0.7 ? "repeat" : "abandon";
          const decision = state === "awaiting-approval" && isDone ? "repeat" : word;
          this.#tell({ kind: "decide", task: id, key, decision });
        }
      this.#decide();
    });
  }

  #tell(message: ClientMessage): void {
    this.#host.send(this.#somePeer(), { via: "client", message });
  }

  /** Some ask two peers at once, as a retry does whose first answer is late. */
  #ask(request: Request): void {
    const { random } = this.#host;
    this.#send(request);
    if (random() < 0.2) this.#send(request);
    this.#later(request, PATIENCE_MS);
  }

  #later(request: Request, delayMs: number): void {
    this.#host.after(delayMs, () => {
      if (request.over) return;
      this.#send(request);
      this.#later(request, LATER_MS);
    });
  }

  #send({ number }: Request): void {
    this.#host.send(this.#somePeer(), { via: "client", message: { kind: "submit", request: number } });
  }

  #changeMind(): void {
    const { requests } = this.#run.clients;
    const request = requests[Math.floor(this.#host.random() * requests.length)];
    if (request !== undefined)
      this.#host.send(this.#somePeer(), { via: "client", message: { kind: "cancel", task: request.id } });
  }

  #somePeer(): number {
    return Math.floor(this.#host.random() * (this.#host.nodes - 1));
  }
}
