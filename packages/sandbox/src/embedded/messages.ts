/** A file, folder or link of the workspace; the content of a file follows in the frame's body, in the same order. */
export interface NodeEntry {
  /** Absolute. */
  readonly path: string;
  readonly type: "file" | "directory" | "symlink";
  readonly mode: number;
  /** Bytes of content; 0 for what is not a file. */
  readonly size: number;
  readonly target?: string;
}

/** To the child: put these files in place. */
export interface LoadMessage {
  readonly type: "load";
  readonly entries: readonly NodeEntry[];
}

/** To the child: run this program; the body is its standard input. */
export interface RunMessage {
  readonly type: "run";
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly maxOutputBytes: number;
}

/** From the child: how it went; the body is both outputs, then the contents of the changed files. */
export interface DoneMessage {
  readonly type: "done";
  readonly exitCode: number;
  readonly stdoutBytes: number;
  readonly stderrBytes: number;
  readonly changed: readonly NodeEntry[];
  readonly removed: readonly string[];
  /** Set when nothing ran: why. */
  readonly refusal?: string;
}

/** From the child: it can be spoken to. */
export interface ReadyMessage {
  readonly type: "ready";
}

/** What a child may say, checked field by field; undefined for anything else. */
export function parseReply(header: unknown): DoneMessage | ReadyMessage | undefined {
  if (!isRecord(header)) return undefined;
  if (header["type"] === "ready") return { type: "ready" };
  if (header["type"] !== "done") return undefined;
  const { exitCode, stdoutBytes, stderrBytes, changed, removed, refusal } = header;
  if (!isSize(exitCode) || !isSize(stdoutBytes) || !isSize(stderrBytes)) return undefined;
  if (!Array.isArray(changed) || !Array.isArray(removed)) return undefined;
  const entries = changed.map(parseEntry);
  if (!entries.every((entry) => entry !== undefined) || !removed.every(isString)) return undefined;
  return {
    type: "done",
    exitCode,
    stdoutBytes,
    stderrBytes,
    changed: entries,
    removed,
    ...(isString(refusal) && { refusal }),
  };
}

function parseEntry(value: unknown): NodeEntry | undefined {
  if (!isRecord(value)) return undefined;
  const { path, type, mode, size, target } = value;
  if (!isString(path) || !isSize(mode) || !isSize(size)) return undefined;
  if (type !== "file" && type !== "directory" && type !== "symlink") return undefined;
  if (type !== "file" && size !== 0) return undefined;
  return { path, type, mode, size, ...(isString(target) && { target }) };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isString(value: unknown): value is string {
  return typeof value === "string";
}
