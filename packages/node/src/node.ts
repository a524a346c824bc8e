import type { PeerId } from "@chorus/kernel";
import { type Api, api, type Mount } from "@chorus/api";
import { ucxi } from "@chorus/ucxi";
import { openBase, type Base } from "./base.ts";
import type { Config } from "./config.ts";
import { openCoordination, type Coordination } from "./coordination.ts";
import { apiToken } from "./directory.ts";
import { type Effectors, effectorsOf } from "./effectors.ts";
import { inputStore } from "./inputs.ts";
import { listen } from "./listen.ts";
import type { LogSink } from "./logger.ts";
import { peerView } from "./peer-view.ts";
import { resolver } from "./resolver.ts";
import { sandboxOffer, type SandboxOffer } from "./sandboxes.ts";

/** A peer that is up. Disposing it hands over, leaves the mesh and closes everything, in order. */
export interface RunningPeer extends AsyncDisposable {
  readonly peer: PeerId;
  /** Where its HTTP API listens. */
  readonly url: string;
  readonly token: string;
  /** Multiaddrs that others can join through. */
  addresses(): readonly string[];
}

export interface NodeOptions {
  /** Receives log lines, already scanned for secrets. @default standard output */
  readonly sink?: LogSink;
  /** More that tasks may do outside; one of a kind that the configuration allows takes its place. @default none */
  readonly effectors?: Effectors;
  /** A `resolver` joins the mesh to serve addresses and takes no part in tasks. @default "agent" */
  readonly role?: "agent" | "resolver";
}

/** Everything a running peer is made of. */
interface Parts {
  readonly config: Config;
  readonly base: Base;
  readonly offer?: SandboxOffer;
  readonly coordination?: Coordination;
}

/**
 * Composes a peer from its configuration; the one place where packages meet.
 * @throws the error of whichever part cannot start; what had started is closed again
 */
export async function node(config: Config, options: NodeOptions = {}): Promise<RunningPeer> {
  const { sink = process.stdout, role = "agent", effectors: own = [] } = options;
  await using stack = new AsyncDisposableStack();
  const base = await openBase(config, stack, sink);
  const parts: Parts =
    role === "resolver"
      ? { config, base }
      : await withCoordination({ config, base }, { stack, effectors: effectorsOf(config, base, own) });
  const token = apiToken(config.dataDirectory, config.httpToken);
  base.sentinel.learn(token, "api-token");
  const address = { host: config.httpHost, port: config.httpPort };
  const server = stack.use(await listen(address, (port) => serve(parts, token, port)));
  const url = `http://${authority(server.host, server.port)}`;
  const { peer } = base.mesh.signer;
  base.logger.info("peer is ready", { peer, url, addresses: base.mesh.addresses() });
  const running = stack.move();
  return {
    peer,
    url,
    token,
    addresses: () => base.mesh.addresses(),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function withCoordination(
  parts: Parts,
  { stack, effectors }: { readonly stack: AsyncDisposableStack; readonly effectors: Effectors },
): Promise<Parts> {
  const offer = await sandboxOffer(parts.config);
  const coordination = await openCoordination({ ...parts, offer, effectors }, stack);
  return { ...parts, offer, coordination };
}

function serve(parts: Parts, token: string, port: number): Api["fetch"] {
  const { config, base, coordination } = parts;
  const { storage, sentinel, logger } = base;
  const resolve: Mount = ucxi({ resolver: resolver(storage, config.cluster), logger });
  const tasks = coordination && {
    tasks: coordination.coordinator,
    inputs: inputStore({ storage, sentinel }, config.inputBytes),
  };
  const hosts = [authority(config.httpHost, port), `localhost:${port}`];
  const surface = api({ peer: peerView(parts), ...tasks, mounts: [resolve], logger }, { token, hosts });
  return (request) => surface.fetch(request);
}

function authority(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
