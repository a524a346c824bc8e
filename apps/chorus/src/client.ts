/** One peer's HTTP API, as a launcher needs it. */
export interface PeerClient {
  readonly name: string;
  readonly url: string;
  readonly token: string;
  get<T>(path: string): Promise<T>;
  bytes(path: string, accept: string): Promise<{ bytes: Uint8Array; headers: Headers }>;
  post<T>(path: string, body: Uint8Array | object, headers?: Readonly<Record<string, string>>): Promise<T>;
  /** Server-sent events; ends when the stream does, throws when the peer is lost. */
  events<T>(
    path: string,
    options: { readonly after?: number; readonly signal: AbortSignal },
  ): AsyncIterable<SentEvent<T>>;
}

/** One server-sent event. */
export interface SentEvent<T> {
  readonly event: string;
  readonly data: T;
}

/** Longest wait for an answer; an upload of the largest folder is well within it. */
const CALL_MS = 120_000;
/** A live stream has a heartbeat every 15 s. */
const SILENCE_MS = 20_000;

/** The peer refused, with its problem. */
class ProblemError extends Error {
  readonly status: number;
  constructor(status: number, problem: string) {
    super(problem);
    this.status = status;
  }
}

export function peerClient(peer: { name: string; url: string; token: string }): PeerClient {
  const authorization = `Bearer ${peer.token}`;
  const call = async (path: string, init: RequestInit = {}): Promise<Response> => {
    const headers = new Headers(init.headers);
    headers.set("authorization", authorization);
    const { signal = AbortSignal.timeout(CALL_MS) } = init;
    const response = await fetch(`${peer.url}${path}`, { ...init, headers, signal }).catch(
      (cause: unknown) => {
        throw new Error(`${peer.name} does not answer`, { cause });
      },
    );
    if (!response.ok) throw new ProblemError(response.status, await describe(response));
    return response;
  };
  return {
    ...peer,
    get: async (path) => (await call(path)).json(),
    bytes: async (path, accept) => {
      const response = await call(path, { headers: { accept } });
      return { bytes: new Uint8Array(await response.arrayBuffer()), headers: response.headers };
    },
    post: async (path, body, extra = {}) => {
      const isBytes = body instanceof Uint8Array;
      const response = await call(path, {
        method: "POST",
        body: isBytes ? new Uint8Array(body) : JSON.stringify(body),
        headers: { "content-type": isBytes ? "application/x-tar" : "application/json", ...extra },
      });
      return response.json();
    },
    async *events(path, { after, signal }) {
      const resume: Record<string, string> = after === undefined ? {} : { "last-event-id": String(after) };
      const idle = new AbortController();
      const response = await call(path, { signal: AbortSignal.any([signal, idle.signal]), headers: resume });
      yield* parseEvents(response.body ?? new ReadableStream(), idle);
    },
  };
}

async function describe(response: Response): Promise<string> {
  const text = await response.text();
  try {
    const problem: unknown = JSON.parse(text);
    const map = new Map<string, unknown>(Object.entries(problem ?? {}));
    const fields = map.get("errors");
    return [map.get("title"), map.get("detail"), fields === undefined ? "" : JSON.stringify(fields)]
      .filter((part) => typeof part === "string" && part !== "")
      .join(": ");
  } catch {
    return `${response.status} ${text.slice(0, 200)}`;
  }
}

/** A stream on which not even a heartbeat comes is given up through `idle`. */
async function* parseEvents<T>(
  body: ReadableStream<Uint8Array>,
  idle: AbortController,
): AsyncGenerator<SentEvent<T>> {
  const decoder = new TextDecoder();
  let buffer = "";
  const timer = setTimeout(() => idle.abort(new Error("the stream fell silent")), SILENCE_MS);
  using _stop = { [Symbol.dispose]: () => clearTimeout(timer) };
  for await (const chunk of body) {
    timer.refresh();
    buffer += decoder.decode(chunk, { stream: true });
    for (let end = buffer.indexOf("\n\n"); end >= 0; end = buffer.indexOf("\n\n")) {
      const block = buffer.slice(0, end);
      buffer = buffer.slice(end + 2);
      const fields = new Map(block.split("\n").map((line) => splitField(line)));
      const data = fields.get("data");
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- our own API; its shape is the caller's to know
      if (data !== undefined) yield { event: fields.get("event") ?? "message", data: JSON.parse(data) as T };
    }
  }
}

function splitField(line: string): [string, string] {
  const at = line.indexOf(":");
  return [line.slice(0, at), line.slice(at + 1).trimStart()];
}
