import { type Canonical, decodeCanonical } from "@chorus/kernel";
import type { Token } from "../../../check-history/record.ts";
import { MESSAGES, type Moment, PHASES } from "../moments.ts";

/** What the probe reads of a command on its way to the ledger. */
export interface Message {
  readonly type: string;
  readonly task: string | undefined;
  readonly token: Token | undefined;
  /** Address of the decision that a completion bears. */
  readonly decision: string | undefined;
}

export function readMessage(command: Uint8Array): Message {
  const message = member(decodeCanonical(command), "message");
  const envelope = message instanceof Uint8Array ? decodeCanonical(message) : undefined;
  const body = member(envelope, "body");
  const token = member(body, "token");
  const [term, index] = [member(token, "term"), member(token, "index")];
  return {
    type: text(member(envelope, "type")) ?? "",
    task: text(member(body, "task")),
    token: typeof term === "number" && typeof index === "number" ? { term, index } : undefined,
    decision: text(member(member(member(body, "result"), "decision"), "address")),
  };
}

/** The moment's name, where it is one. */
export function momentOf(type: string, phase: (typeof PHASES)[number]): Moment | undefined {
  const message = MESSAGES.find((one) => one === type);
  return message === undefined ? undefined : `${message}:${phase}`;
}

function member(value: Canonical | undefined, name: string): Canonical | undefined {
  const isMap =
    typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
  return isMap ? new Map<string, Canonical>(Object.entries(value)).get(name) : undefined;
}

function text(value: Canonical | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}
