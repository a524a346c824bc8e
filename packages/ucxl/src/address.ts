import type { Address, AddressParts, LaneAddress } from "./contract.ts";
import { UcxlError } from "./errors.ts";
import {
  encodeSegment,
  MIN_CID_LIKE,
  type Part,
  readAgent,
  readCid,
  readElement,
  readProject,
  readSegment,
  readTime,
  refuse,
  timeText,
} from "./part.ts";

/** Octets of a whole address; canonical addresses are ASCII. */
const MAX_OCTETS = 1024;
const SCHEME = "ucxl://";
const MAX_SEGMENTS = 32;
const LANE_PARTS = 5;

/**
 * Reads a canonical address; any other spelling of it is refused, so that equal addresses are equal texts.
 * @throws UcxlError with the first fault and its position, and never anything else
 */
export function parseAddress(text: unknown): Address {
  if (typeof text !== "string") throw new UcxlError("scheme", 0);
  if (text.length > MAX_OCTETS) throw new UcxlError("too-long", MAX_OCTETS);
  if (!text.startsWith(SCHEME)) throw new UcxlError("scheme", 0);
  refuseSuffix(text);
  return readAddress(splitParts(text.slice(SCHEME.length), SCHEME.length));
}

/**
 * Builds the canonical text of an address.
 * @throws UcxlError when a part has no canonical form; the position counts in the text that would have been
 */
export function formatAddress(parts: AddressParts): string {
  const { path = [] } = parts;
  const heads =
    "cid" in parts
      ? [parts.cid]
      : [
          parts.project,
          parts.task,
          parts.role,
          parts.agent,
          timeText(parts.time ?? { kind: "latest", back: 0 }),
        ];
  // Parts are located before they are joined: a slash inside one must not make two of it.
  let at = SCHEME.length;
  const locate = (text: string): Part => {
    const part = { text, at, exact: true };
    at += text.length + 1;
    return part;
  };
  const located = heads.map(locate);
  for (const segment of path) {
    if (!segment.isWellFormed()) throw new UcxlError("utf8", at);
    located.push(locate(encodeSegment(segment)));
  }
  readAddress(located);
  return joinParts(located);
}

/** A query or a fragment, whichever starts first. */
export function refuseSuffix(text: string): void {
  const at = text.search(/[?#]/);
  if (at !== -1) throw new UcxlError(text[at] === "?" ? "query" : "fragment", at);
}

/** @param at where `text` stands in what the caller gave */
export function splitParts(text: string, at: number): Part[] {
  if (text === "") throw new UcxlError("empty", at);
  const parts: Part[] = [];
  let next = at;
  for (const part of text.split("/")) {
    parts.push({ text: part, at: next, exact: true });
    next += part.length + 1;
  }
  return parts;
}

/** @throws UcxlError when the text is too long */
export function joinParts(parts: readonly Part[]): string {
  const text = SCHEME + parts.map((part) => part.text).join("/");
  if (text.length > MAX_OCTETS) throw new UcxlError("too-long", parts.at(-1)?.at ?? 0);
  return text;
}

export function readAddress(parts: readonly Part[]): Address {
  const [first, task, role, agent, time] = parts;
  if (first === undefined) throw new UcxlError("empty", SCHEME.length);
  refuseAuthority(first);
  if (first.text.length >= MIN_CID_LIKE)
    return { kind: "immutable", cid: readCid(first), path: readPath(parts.slice(1)) };
  const project = readProject(first);
  if (!task || !role || !agent || !time) {
    const last = parts.at(-1) ?? first;
    return refuse("incomplete", last, last.text.length);
  }
  return laneAddress({
    project,
    task: readElement(task),
    role: readElement(role),
    agent: readAgent(agent),
    time: readTime(time),
    path: readPath(parts.slice(LANE_PARTS)),
  });
}

function laneAddress(parts: Omit<LaneAddress, "kind" | "lane">): LaneAddress {
  const { project, task, role, agent, time } = parts;
  const isPattern = [task, role, agent].includes("*");
  const kind = isPattern ? "pattern" : time.kind === "cid" ? "pinned" : "semantic";
  return { kind, lane: [project, task, role, agent].join("/"), ...parts };
}

function refuseAuthority(first: Part): void {
  const at = first.text.indexOf("@");
  if (at !== -1) refuse("userinfo", first, at);
  const colon = first.text.indexOf(":");
  if (colon !== -1) refuse("port", first, colon);
}

function readPath(parts: readonly Part[]): string[] {
  const tooDeep = parts[MAX_SEGMENTS];
  if (tooDeep) refuse("too-deep", tooDeep);
  return parts.map(readSegment);
}
