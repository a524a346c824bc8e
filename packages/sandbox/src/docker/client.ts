import type Docker from "dockerode";
import type { DockerEndpoint } from "../contract.ts";
import { InvalidInputError } from "@chorus/kernel";

/** What a running engine said about itself. */
export interface Engine {
  readonly docker: Docker;
  /** Names one engine; the same for the same endpoint. */
  readonly endpoint: string;
  readonly version: string;
  /** Its name for the processor architecture, for example `amd64`. */
  readonly machine: string;
  readonly seccomp: boolean;
  /** Parts of the hardened profile that this engine or its kernel cannot give. */
  readonly missing: readonly string[];
}

/**
 * Asks the engine for its version and abilities.
 * Rejects with the transport's error when nothing answers within `timeoutMs`.
 */
export async function connect(
  endpoint: DockerEndpoint = {},
  { timeoutMs = 3000 }: { readonly timeoutMs?: number } = {},
): Promise<Engine> {
  const address = parseEndpoint(endpoint);
  // Lazy: it loads a hundred files, and a machine without Docker never needs them.
  const { default: Dockerode } = await import("dockerode");
  // Every field is given, since the client fills the gaps from DOCKER_* variables, and this library reads none.
  const docker = new Dockerode({ ...UNSET, ...address });
  const abortSignal = AbortSignal.timeout(timeoutMs);
  const [version, info] = await Promise.all([
    deadline(docker.version(), abortSignal),
    deadline<unknown>(docker.info(), abortSignal),
  ]);
  const { seccomp, missing } = parseInfo(info);
  return {
    docker,
    endpoint: JSON.stringify(address),
    version: version.Version,
    machine: version.Arch,
    seccomp,
    missing,
  };
}

const UNSET = {
  host: undefined,
  port: undefined,
  protocol: "http",
  pathPrefix: undefined,
  username: undefined,
  ca: undefined,
  cert: undefined,
  key: undefined,
  timeout: undefined,
  version: undefined,
} as const;

function parseEndpoint(endpoint: DockerEndpoint): { socketPath: string } | { host: string; port: number } {
  if (endpoint.host === undefined)
    return {
      socketPath:
        endpoint.socketPath ??
        (process.platform === "win32" ? "//./pipe/docker_engine" : "/var/run/docker.sock"),
    };
  if (!URL.canParse(endpoint.host)) throw new InvalidInputError("docker.host", "is not an address");
  const url = new URL(endpoint.host);
  if (url.protocol === "unix:" && url.pathname !== "") return { socketPath: url.pathname };
  if ((url.protocol === "tcp:" || url.protocol === "http:") && url.hostname !== "")
    return { host: url.hostname, port: Number(url.port === "" ? 2375 : url.port) };
  throw new InvalidInputError("docker.host", "is neither unix:///path nor tcp://host:port");
}

async function deadline<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const expired = Promise.withResolvers<never>();
  const onAbort = (): void => expired.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work, expired.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

const ABILITIES: Readonly<Record<string, string>> = {
  MemoryLimit: "memory-limit",
  SwapLimit: "swap-limit",
  PidsLimit: "process-limit",
  CpuCfsQuota: "cpu-quota",
};

function parseInfo(info: unknown): { seccomp: boolean; missing: string[] } {
  const fields = new Map<string, unknown>(
    typeof info === "object" && info !== null ? Object.entries(info) : [],
  );
  const options: unknown = fields.get("SecurityOptions");
  const seccomp =
    Array.isArray(options) && options.some((option) => String(option).startsWith("name=seccomp"));
  const missing = Object.entries(ABILITIES)
    .filter(([field]) => fields.get(field) !== true)
    .map(([, control]) => control);
  return { seccomp, missing: seccomp ? missing : [...missing, "seccomp"] };
}

/** The HTTP status of an engine's refusal, or undefined when the error came from elsewhere. */
export function statusOf(error: unknown): number | undefined {
  return error instanceof Error && "statusCode" in error && typeof error.statusCode === "number"
    ? error.statusCode
    : undefined;
}

/** The engine's own words, without the client's frame around them. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message.replace(/^\(HTTP code \d+\) [^-]*- /, "").trim() || error.name;
}
