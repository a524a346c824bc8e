import type { Host } from "@chorus/sim";
import type { Request } from "./client-book.ts";
import type { Run } from "./run.ts";
import type { Command } from "./commands.ts";
import { nameOf } from "./target-book.ts";
import type { ClientMessage, Wire } from "./wire.ts";

/** When the last request is made; later, everything is to come to its end. */
const WORK_MS = 18_000;
const EVERY_MS = 1700;
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
      if (random() < 0.25) this.#changeMind();
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
      backoff: { firstMs: 400 },
      ...(effects.length > 0 ? { effects } : {}),
      ...this.#relations(),
    };
    return clients.open({ principal: "somebody", key: `key-${number}`, spec, isContent });
  }

  /** Some wait for others, which may not be known yet, and some are wanted by a time only. */
  #relations(): { readonly [member: string]: unknown } {
    const { random } = this.#host;
    const { requests } = this.#run.clients;
    const some = requests.filter(() => random() < 0.2).slice(-3);
    const dependsOn = [...new Set(some.map(({ id }) => id))];
    const deadline = random() < 0.1 ? { deadline: Math.ceil(this.#run.now + 3000 + random() * 9000) } : {};
    if (dependsOn.length === 0 || random() < 0.6) return deadline;
    return { ...deadline, dependsOn, join: random() < 0.5 ? "all" : "any" };
  }

  #effects(): readonly { readonly [member: string]: string }[] {
    const { random } = this.#host;
    const { kinds } = this.#run;
    const count = random() < 0.5 && kinds.length > 1 ? 0 : 1 + Math.floor(random() * 2);
    return Array.from({ length: count }, (_, i) => ({
      slot: `slot-${i}`,
      kind: kinds[Math.floor(random() * kinds.length)] ?? "mail",
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
          const reason = "somebody looked";
          this.#order({ type: "effect-decide", task: id, key, decision, reason });
        }
      this.#resume();
      this.#decide();
    });
  }

  /** What waits for a person's word goes on with it, sooner or later. */
  #resume(): void {
    for (const { id, state, effects = [] } of this.#run.history.tasks.values()) {
      const waits = state === "paused" || state === "input-required" || state === "auth-required";
      const isSure = effects.every((effect) => effect.state !== "uncertain");
      const isDue = this.#run.now > WORK_MS || this.#host.random() < 0.6;
      if (waits && isSure && isDue) this.#order({ type: "task-resume", task: id });
    }
  }

  #order(command: Command): void {
    this.#tell({ kind: "order", command });
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
    const request = requests.at(-1 - Math.floor(this.#host.random() * 4));
    if (request === undefined) return;
    const { id: task } = request;
    const change = this.#host.random();
    if (change < 0.4) this.#tell({ kind: "cancel", task });
    else if (change < 0.7) this.#order({ type: "task-pause", task, reason: "wait" });
    else if (change < 0.8) this.#order({ type: "task-steer", task, id: `${change}`, text: "mind the gap" });
    else this.#tell({ kind: "take-over", task });
  }

  #somePeer(): number {
    return Math.floor(this.#host.random() * (this.#host.nodes - 1));
  }
}
