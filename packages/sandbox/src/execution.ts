import type { ExecResult, Execution, OutputChunk } from "./contract.ts";
import { HIGH_WATER_BYTES } from "./defaults.ts";

/** The writing end of an execution. */
export interface OutputSink {
  /** Undefined while the reader keeps up; otherwise a promise that resolves when more may come. */
  write(chunk: OutputChunk): Promise<void> | undefined;
}

/** Runs `start` at once and offers its output and its verdict. `start` must not reject. */
export function createExecution(start: (sink: OutputSink) => Promise<ExecResult>): Execution {
  const queue = outputQueue();
  const result = start(queue).finally(() => queue.end());
  return { result, [Symbol.asyncIterator]: () => queue.read() };
}

/** A queue of chunks, bounded in bytes, for one writer and at most one reader. */
function outputQueue(): OutputSink & { end(): void; read(): AsyncIterator<OutputChunk> } {
  const chunks: OutputChunk[] = [];
  let waiting = 0;
  let state: "open" | "ended" | "discarding" = "open";
  let taken = false;
  let room = Promise.withResolvers<void>();
  let more = Promise.withResolvers<void>();

  const stop = (reason: "ended" | "discarding"): void => {
    if (state === "open") state = reason;
    more.resolve();
    room.resolve();
  };
  async function* read(): AsyncGenerator<OutputChunk> {
    try {
      for (;;) {
        const chunk = chunks.shift();
        waiting -= chunk?.bytes.length ?? 0;
        if (waiting < HIGH_WATER_BYTES) room.resolve();
        if (chunk !== undefined) yield chunk;
        else if (state !== "open") return;
        else {
          more = Promise.withResolvers();
          await more.promise;
        }
      }
    } finally {
      stop("discarding");
      chunks.length = 0;
    }
  }
  return {
    write(chunk) {
      if (state !== "open" || chunk.bytes.length === 0) return undefined;
      chunks.push(chunk);
      waiting += chunk.bytes.length;
      more.resolve();
      if (waiting < HIGH_WATER_BYTES) return undefined;
      room = Promise.withResolvers();
      return room.promise;
    },
    end: () => stop("ended"),
    read() {
      if (taken) throw new TypeError("an execution can be iterated only once");
      taken = true;
      return read();
    },
  };
}

/** Why we ended a command ourselves. */
export type StopReason = "timeout" | "output-limit" | "cancelled";

/** Watches the clock and the caller's signal for one command; the first reason wins. */
export interface StopWatch extends Disposable {
  readonly reason: StopReason | undefined;
  /** Resolves when there is a reason to stop; never rejects. */
  readonly stopped: Promise<StopReason>;
  stop(reason: StopReason): void;
}

/** Starts watching now. */
export function stopWatch(timeoutMs: number, signal: AbortSignal | undefined): StopWatch {
  const stopped = Promise.withResolvers<StopReason>();
  let reason: StopReason | undefined;
  const stop = (why: StopReason): void => {
    reason ??= why;
    stopped.resolve(reason);
  };
  const onAbort = (): void => stop("cancelled");
  if (signal?.aborted) onAbort();
  signal?.addEventListener("abort", onAbort, { once: true });
  const timer = setTimeout(() => stop("timeout"), timeoutMs);
  return {
    get reason() {
      return reason;
    },
    stopped: stopped.promise,
    stop,
    [Symbol.dispose]() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    },
  };
}

/** Counts, caps and forwards the output of one command. */
export interface OutputMeter {
  readonly stdoutBytes: number;
  readonly stderrBytes: number;
  /** Forwards what still fits; asks the watch to stop at the cap. Never waits once there is a reason to stop. */
  write(chunk: OutputChunk): Promise<void>;
}

/** @param options.maxBytes cap of both streams together */
export function outputMeter(
  sink: OutputSink,
  options: { readonly maxBytes: number; readonly watch: StopWatch },
): OutputMeter {
  const count = { stdout: 0, stderr: 0 };
  return {
    get stdoutBytes() {
      return count.stdout;
    },
    get stderrBytes() {
      return count.stderr;
    },
    async write({ stream, bytes }) {
      if (options.watch.reason !== undefined) return;
      const left = options.maxBytes - count.stdout - count.stderr;
      const part = bytes.length > left ? bytes.subarray(0, left) : bytes;
      count[stream] += part.length;
      const written = sink.write({ stream, bytes: part });
      if (bytes.length > left) options.watch.stop("output-limit");
      else if (written !== undefined) await Promise.race([written, options.watch.stopped]);
    },
  };
}

/** What people read about a command that we ended. */
export function stopMessage(
  reason: StopReason,
  limits: { readonly timeoutMs: number; readonly maxOutputBytes: number },
): string {
  if (reason === "cancelled") return "cancelled by the caller";
  if (reason === "timeout") return `still running after ${limits.timeoutMs} ms`;
  return `wrote more than ${limits.maxOutputBytes} bytes`;
}

/** The verdict on a command that was wrong before it could begin. */
export function notStarted(error: unknown): ExecResult {
  return {
    outcome: "not-started",
    message: error instanceof Error ? error.message : String(error),
    stdoutBytes: 0,
    stderrBytes: 0,
    durationMs: 0,
  };
}
