import type { HistoryRecord } from "./record.ts";

type Shape = "text" | "number" | "token" | "texts" | "event" | "effects";

/** The members that each kind needs; others may be missing and are checked where they are present. */
const NEEDED: Readonly<Record<HistoryRecord["kind"], Readonly<Record<string, Shape>>>> = {
  call: { at: "number", call: "text", peer: "text", key: "text" },
  answer: { at: "number", call: "text", status: "text" },
  life: { at: "number", peer: "text", life: "number" },
  event: { at: "number", peer: "text", life: "number", event: "event" },
  completion: { at: "number", peer: "text", task: "text", token: "token", answer: "text" },
  frame: { at: "number", watch: "text", peer: "text", task: "text", seq: "number", text: "text" },
  effect: { at: "number", target: "text", subject: "text", key: "text", action: "text" },
  cut: { from: "number", to: "number", minority: "texts", majority: "texts" },
  zombie: { peer: "text", task: "text", token: "token", stopped: "number", resumed: "number" },
  loser: { at: "number", peer: "text", task: "text", token: "token" },
  done: { at: "number", peer: "text", moment: "text", action: "text" },
  end: { at: "number", peers: "texts" },
};
const OPTIONAL: Readonly<Record<string, Shape>> = {
  effects: "effects",
  expects: "text",
  task: "text",
  decision: "text",
};
const WORDS: Readonly<Record<string, readonly string[]>> = {
  status: ["committed", "pending", "refused"],
  answer: ["committed", "fenced", "refused"],
  expects: ["completed"],
};
const ACTIONS = ["made", "repeated"];

/** A line that is no record; the message names the place. */
export class MalformedHistoryError extends Error {}

/**
 * Reads one file. A last line without its end is what a killed writer leaves behind, and is ignored; other kinds of
 * record than ours are ignored too, so that a writer may add its own.
 * @throws MalformedHistoryError
 */
export function parseHistory(text: string, name: string): readonly HistoryRecord[] {
  const lines = text.split("\n");
  const records: HistoryRecord[] = [];
  for (const [index, line] of lines.slice(0, -1).entries()) {
    if (line === "") continue;
    const record = parseLine(line, `${name}:${index + 1}`);
    if (record !== undefined) records.push(record);
  }
  return records;
}

function parseLine(line: string, place: string): HistoryRecord | undefined {
  const value = jsonOf(line, place);
  if (!isObject(value)) throw new MalformedHistoryError(`${place}: not an object`);
  const kind = value["kind"];
  if (typeof kind !== "string") throw new MalformedHistoryError(`${place}: kind is missing`);
  const needed = Object.entries(NEEDED).find(([name]) => name === kind)?.[1];
  if (needed === undefined) return undefined;
  for (const [member, shape] of Object.entries(needed)) check(value[member], shape, `${place}: ${member}`);
  for (const [member, shape] of Object.entries(OPTIONAL))
    if (value[member] !== undefined) check(value[member], shape, `${place}: ${member}`);
  for (const [member, words] of Object.entries(kind === "effect" ? { ...WORDS, action: ACTIONS } : WORDS))
    if (value[member] !== undefined && !words.some((word) => word === value[member]))
      throw new MalformedHistoryError(`${place}: ${member} must be one of ${words.join(", ")}`);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- every member was checked against its kind above
  return value as unknown as HistoryRecord;
}

function jsonOf(line: string, place: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new MalformedHistoryError(`${place}: not JSON`);
  }
}

function check(value: unknown, shape: Shape, place: string): void {
  if (!fits(value, shape)) throw new MalformedHistoryError(`${place} must be ${DESCRIPTIONS[shape]}`);
}

const DESCRIPTIONS: Readonly<Record<Shape, string>> = {
  text: "a text",
  number: "a number",
  token: "{term, index}",
  texts: "a list of texts",
  event: "an event with taskId, seq and type",
  effects: "a list of {target, subject}",
};

function fits(value: unknown, shape: Shape): boolean {
  switch (shape) {
    case "text":
      return typeof value === "string";
    case "number":
      return typeof value === "number";
    case "texts":
      return Array.isArray(value) && value.every((item) => typeof item === "string");
    case "token":
      return isObject(value) && typeof value["term"] === "number" && typeof value["index"] === "number";
    case "event":
      return isEvent(value);
    case "effects":
      return Array.isArray(value) && value.every(isDeclared);
  }
}

function isEvent(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { taskId, seq, type, attempt, token, superseded } = value;
  const named = typeof taskId === "string" && typeof seq === "number" && typeof type === "string";
  const optional = attempt === undefined || typeof attempt === "number";
  return named && optional && (token === undefined || fits(token, "token")) && isSuperseded(superseded);
}

function isSuperseded(value: unknown): boolean {
  if (value === undefined) return true;
  return isObject(value) && fits(value["token"], "token") && typeof value["address"] === "string";
}

function isDeclared(value: unknown): boolean {
  return isObject(value) && typeof value["target"] === "string" && typeof value["subject"] === "string";
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
