import { type ChildProcess, spawn } from "node:child_process";
import { dirname } from "node:path";
import { Duplex, type Readable } from "node:stream";
import { CHILD_ENTRY } from "../embedded-entry.ts";
import { frame, frames } from "./frames.ts";
import { type DoneMessage, type LoadMessage, parseReply, type RunMessage } from "./messages.ts";
import { findInterpreter } from "./reads.ts";

/** A command's end as the child reports it. */
export interface Reply {
  readonly done: DoneMessage;
  readonly body: Uint8Array;
}

/** One process with one virtual machine in it. */
export interface Child {
  /** Resolves when it can be spoken to, or has ended. */
  readonly ready: Promise<void>;
  /** Resolves when the process is gone, with what it said last. */
  readonly ended: Promise<ChildEnd>;
  readonly hasEnded: boolean;
  /** The process id, for statistics. */
  readonly pid: number | undefined;
  load(message: Omit<LoadMessage, "type">, contents: readonly Uint8Array[]): void;
  /** Settles only while the child lives: race it with `ended`. */
  run(message: Omit<RunMessage, "type">, stdin: Uint8Array): Promise<Reply>;
  /** The hard way; resolves when it is gone. */
  kill(): Promise<void>;
}

/** How a child ended without being asked to. */
export interface ChildEnd {
  readonly outOfMemory: boolean;
  readonly message: string;
}

/** The interpreter with Python loaded, before it has done anything. */
const RUNTIME_BYTES = 268_435_456;

const MEMORY_WORDS = /memory limit reached|heap out of memory|allocation failed|ERR_WORKER_OUT_OF_MEMORY/i;

/** What bounds a child. */
export interface ChildLimits {
  readonly memoryBytes: number;
  readonly fileBytes: number;
  readonly maxReplyBytes: number;
}

/** Starts a process that may read its own code and nothing else, with an empty environment. */
export function startChild(limits: ChildLimits): Child {
  const { host, channel } = launch(limits);
  const lastWords = keepTail(host.stderr);
  const ended = Promise.withResolvers<ChildEnd>();
  let hasEnded = false;
  const end = (how: string): void => {
    hasEnded = true;
    const words = lastWords();
    ended.resolve({ outOfMemory: MEMORY_WORDS.test(words), message: words === "" ? how : words });
  };
  host.on("error", (error) => end(error.message));
  host.on("close", (code, signal) => end(`the interpreter ended with ${signal ?? code}`));
  const talk = conversation(channel, {
    maxBodyBytes: limits.maxReplyBytes,
    giveUp: () => host.kill("SIGKILL"),
  });
  const gone = ended.promise.then(() => undefined);
  return {
    ready: Promise.race([talk.ready, gone]),
    ended: ended.promise,
    get hasEnded() {
      return hasEnded;
    },
    pid: host.pid,
    load: (message, contents) => send(channel, frame({ type: "load", ...message }, contents)),
    async run(message, stdin) {
      send(channel, frame({ type: "run", ...message }, [stdin]));
      return talk.next();
    },
    async kill() {
      if (!hasEnded) host.kill("SIGKILL");
      await ended.promise;
    },
  };
}

function launch(limits: ChildLimits): { host: ChildProcess; channel: Duplex } {
  const { url, reads } = findInterpreter();
  const folder = dirname(CHILD_ENTRY);
  const heapMegabytes = Math.max(64, Math.round(limits.memoryBytes / 1_048_576));
  const flags = [
    "--permission",
    "--allow-worker",
    ...[folder, ...reads].map((path) => `--allow-fs-read=${path}`),
    `--max-old-space-size=${heapMegabytes}`,
    "--no-warnings",
  ];
  const words = [url, limits.memoryBytes + RUNTIME_BYTES, limits.fileBytes, process.pid].map(String);
  const host = spawn(process.execPath, [...flags, CHILD_ENTRY, ...words], {
    env: {},
    cwd: folder,
    stdio: ["ignore", "ignore", "pipe", "pipe"],
    windowsHide: true,
  });
  const channel = host.stdio[3];
  if (!(channel instanceof Duplex)) throw new TypeError("the child has no channel");
  channel.on("error", () => undefined);
  return { host, channel };
}

function send(channel: Duplex, pieces: readonly Uint8Array[]): void {
  for (const piece of pieces) if (!channel.destroyed) channel.write(piece);
}

/** Replies in the order in which they come; whoever says anything else is cut off. */
function conversation(
  channel: Duplex,
  { maxBodyBytes, giveUp }: { readonly maxBodyBytes: number; readonly giveUp: () => void },
): { ready: Promise<void>; next(): Promise<Reply> } {
  const ready = Promise.withResolvers<void>();
  let waiting = Promise.withResolvers<Reply>();
  void (async () => {
    try {
      for await (const { header, body } of frames(channel, { maxBodyBytes })) {
        const reply = parseReply(header);
        if (reply === undefined) return giveUp();
        if (reply.type === "ready") ready.resolve();
        else waiting.resolve({ done: reply, body });
      }
    } catch {
      giveUp();
    }
  })();
  return {
    ready: ready.promise,
    async next() {
      waiting = Promise.withResolvers();
      return waiting.promise;
    },
  };
}

const TAIL_CHARS = 2000;

function keepTail(stream: Readable | null): () => string {
  let tail = "";
  stream?.on("data", (chunk: unknown) => {
    tail = (tail + String(chunk)).slice(-TAIL_CHARS);
  });
  return () => tail.trim();
}
