import { request as httpRequest } from "node:http";
import type { DeclaredEffect, HistoryRecord } from "../../check-history/record.ts";
import { moment } from "../mesh/history.ts";
import type { Agent } from "./agents.ts";

/** A task as a client asks for it. */
export interface Wanted {
  readonly key: string;
  readonly spec: object;
  readonly effects?: readonly DeclaredEffect[];
}

/** What the peer said. */
export interface Acknowledged {
  readonly task: string;
  readonly status: "committed" | "pending";
}

/** A task as one peer shows it; what a test needs of it. */
export interface Shown {
  readonly state: string;
  readonly lastSeq: number;
  readonly attempt: number;
  readonly lease?: {
    readonly holder: string;
    readonly token: { readonly term: number; readonly index: number };
  };
  readonly superseded?: readonly { readonly address: string }[];
}

const CALL_MS = 30_000;
const ENDED = ["completed", "failed", "canceled", "rejected", "expired", "dead-letter"];

export function hasEnded({ state }: Shown): boolean {
  return ENDED.includes(state);
}

/** Talks to peers as any client does, and writes down what it asked and what it was told. */
export class Client {
  readonly #write: (record: HistoryRecord) => void;
  readonly #name: string;
  #calls = 0;
  #watches = 0;

  constructor(name: string, write: (record: HistoryRecord) => void) {
    this.#name = name;
    this.#write = write;
  }

  /** @returns undefined when nobody answered: it may have been heard or not */
  async submit(agent: Reachable, { key, spec, effects }: Wanted): Promise<Acknowledged | undefined> {
    const call = `${this.#name}-${++this.#calls}`;
    const declared = effects === undefined ? {} : { effects };
    this.#write({
      kind: "call",
      at: moment(),
      call,
      peer: agent.label,
      key,
      expects: "completed",
      ...declared,
    });
    const answer = await ask(agent, { method: "POST", path: "/v1/tasks", body: spec, key }).catch(
      () => undefined,
    );
    if (answer === undefined || answer.status >= 500) return undefined;
    const at = moment();
    if (answer.status >= 300) {
      this.#write({ kind: "answer", at, call, status: "refused" });
      throw new Error(`peer ${agent.label} refused a task: ${answer.text}`);
    }
    const { taskId: task, status }: { taskId: string; status: "committed" | "pending" } = JSON.parse(
      answer.text,
    );
    this.#write({ kind: "answer", at, call, status, task });
    return { task, status };
  }

  async show(agent: Reachable, task: string): Promise<Shown | undefined> {
    return get<Shown>(agent, `/v1/tasks/${task}`);
  }

  /** Follows a task's events over one or several peers, as `plan` says, and writes down every byte. */
  async watch(task: string, plan: readonly WatchPart[]): Promise<number> {
    const watch = `${this.#name}-w${++this.#watches}`;
    let seen = 0;
    for (const { agent, until, after } of plan) {
      for await (const { seq, text } of frames(agent, task, seen)) {
        this.#write({ kind: "frame", at: moment(), watch, peer: agent.label, task, seq, text });
        seen = seq;
        if (seq === until) break;
      }
      await after?.();
    }
    return seen;
  }
}

/** A peer whose API can be asked. */
export type Reachable = Pick<Agent, "label" | "socket" | "host" | "token">;

/** One peer of a watch: up to which event, or to the end, and what happens then. */
export interface WatchPart {
  readonly agent: Reachable;
  readonly until?: number;
  readonly after?: () => Promise<void>;
}

/** What a peer answers to a question that changes nothing; undefined when it does not, or does not know. */
export async function get<T>(agent: Reachable, path: string): Promise<T | undefined> {
  const answer = await ask(agent, { method: "GET", path }).catch(() => undefined);
  if (answer?.status !== 200) return undefined;
  const body: T = JSON.parse(answer.text);
  return body;
}

interface Question {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: object;
  readonly key?: string;
}

function ask(
  agent: Reachable,
  question: Question,
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const asked = open(agent, question, CALL_MS);
    asked.on("error", reject);
    asked.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("error", reject);
      response.on("close", () =>
        response.complete
          ? resolve({ status: response.statusCode ?? 0, text })
          : reject(new Error("cut short")),
      );
    });
  });
}

function open(
  agent: Reachable,
  { method, path, body, key }: Question,
  timeoutMs: number,
): ReturnType<typeof httpRequest> {
  const bytes = body === undefined ? undefined : JSON.stringify(body);
  const asked = httpRequest({
    socketPath: agent.socket,
    agent: false,
    method,
    path,
    headers: {
      host: agent.host,
      authorization: `Bearer ${agent.token}`,
      ...(bytes === undefined
        ? {}
        : { "content-type": "application/json", "content-length": Buffer.byteLength(bytes) }),
      ...(key === undefined ? {} : { "idempotency-key": key }),
    },
    signal: AbortSignal.timeout(timeoutMs),
  });
  asked.end(bytes);
  return asked;
}

const WATCH_MS = 300_000;

/** The frames of a live stream after an event; ends when the stream does, also when the peer is lost. */
async function* frames(
  agent: Reachable,
  task: string,
  after: number,
): AsyncGenerator<{ seq: number; text: string }> {
  const asked = open(agent, { method: "GET", path: `/v1/tasks/${task}/events?from=${after + 1}` }, WATCH_MS);
  const { promise, resolve, reject } = Promise.withResolvers<AsyncIterable<Buffer>>();
  const decoder = new TextDecoder();
  asked.on("response", resolve);
  asked.on("error", reject);
  let rest = "";
  try {
    for await (const chunk of await promise) {
      const blocks = (rest + decoder.decode(chunk, { stream: true })).split("\n\n");
      rest = blocks.pop() ?? "";
      yield* blocks.flatMap(numbered);
    }
  } catch {
    // A lost peer ends the stream; what was read of it counts.
  } finally {
    asked.destroy();
  }
}

/** Comments and the like have no number. */
function numbered(text: string): readonly { seq: number; text: string }[] {
  const seq = /^id: (\d+)$/m.exec(text)?.[1];
  return seq === undefined ? [] : [{ seq: Number(seq), text }];
}
