import type { Clock } from "@chorus/kernel";

/** One server-sent event. */
export interface ServerEvent {
  readonly id: string;
  readonly event: string;
  readonly data: unknown;
}

/** How a live answer behaves. */
export interface SseOptions {
  readonly clock: Clock;
  readonly heartbeatMs: number;
  /** Fired when the client goes away. */
  readonly stop: AbortController;
}

/**
 * Streams events as `text/event-stream`. The source is pulled only as fast as the client reads, so a slow client
 * holds nothing but itself; silence is broken by a comment so that proxies and half-open sockets are noticed.
 */
export function sse(events: AsyncIterable<ServerEvent>, options: SseOptions): Response {
  const lines = withHeartbeat(events, options);
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const next = await lines.next().catch((error: unknown) => failed(error));
      if (next.done === true) controller.close();
      else controller.enqueue(new TextEncoder().encode(next.value));
    },
    cancel() {
      options.stop.abort(new Error("client went away"));
    },
  });
  return new Response(body, {
    headers: {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    },
  });
}

/** A source that breaks ends the stream with a word for the client, who resumes by Last-Event-ID. */
function failed(error: unknown): IteratorResult<string, void> {
  const reason = error instanceof Error ? error.message : "stream lost";
  return { done: false, value: frame({ id: "", event: "reset", data: { reason } }) };
}

async function* withHeartbeat(
  events: AsyncIterable<ServerEvent>,
  { clock, heartbeatMs, stop }: SseOptions,
): AsyncGenerator<string, void> {
  const source = events[Symbol.asyncIterator]();
  try {
    yield ": connected\n\n";
    let pending = source.next();
    while (!stop.signal.aborted) {
      const next = await beforeSilence(pending, clock, heartbeatMs);
      if (next === "silence") yield ": hb\n\n";
      else if (next.done === true) return;
      else {
        yield frame(next.value);
        pending = source.next();
      }
    }
  } finally {
    stop.abort(new Error("stream ended"));
    await source.return?.();
  }
}

async function beforeSilence<T>(pending: Promise<T>, clock: Clock, ms: number): Promise<T | "silence"> {
  const timer = new AbortController();
  const silence = clock.sleep(ms, timer).then(
    () => "silence" as const,
    () => "silence" as const,
  );
  try {
    return await Promise.race([pending, silence]);
  } finally {
    timer.abort();
  }
}

function frame({ id, event, data }: ServerEvent): string {
  const head = id === "" ? "" : `id: ${id}\n`;
  return `${head}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
