import { randomUUID } from "node:crypto";
import { silentLogger, systemClock } from "@chorus/kernel";
import { type Context, Hono } from "hono";
import { methodNotAllowed } from "hono/method-not-allowed";
import { Refusal } from "./body.ts";
import type { Api, ApiComponents, ApiOptions } from "./contract.ts";
import { ApiOptionsError } from "./errors.ts";
import { guard } from "./guard.ts";
import { inputRoutes, peerRoutes } from "./peer-routes.ts";
import { problemOf, problemResponse, type Problem } from "./problem.ts";
import { taskRoutes } from "./task-routes.ts";

/** What each request carries to its handlers. */
interface Bindings {
  readonly requestId: string;
}
type Surface = Hono<{ Bindings: Bindings }>;

const MIB = 1_048_576;
const notFound: Problem = { status: 404, code: "not-found", title: "There is nothing here" };
const wrongMethod: Problem = {
  status: 405,
  code: "method-not-allowed",
  title: "This method is not allowed here",
};

/**
 * The HTTP surface of a peer.
 * @throws ApiOptionsError when the options would leave the server open
 */
export function api(components: ApiComponents, options: ApiOptions): Api {
  if (options.token.length < 32) throw new ApiOptionsError("token", "must have at least 32 characters");
  if (options.hosts.length === 0) throw new ApiOptionsError("hosts", "must name at least one host");
  const { logger = silentLogger } = components;
  const check = guard(options);
  const app = routes(components, options);
  return {
    async fetch(request) {
      const requestId = randomUUID();
      const refused = check(request);
      const response = refused
        ? problemResponse(refused, requestId)
        : await answer(app, request, requestId).catch((error: unknown) => {
            const problem = error instanceof Refusal ? error.problem : problemOf(error);
            if (problem.status === 500) logger.error("request failed", { requestId, error });
            return problemResponse(problem, requestId);
          });
      return harden(response, requestId);
    },
  };
}

async function answer(app: Surface, request: Request, requestId: string): Promise<Response> {
  return await app.fetch(request, { requestId });
}

function routes(components: ApiComponents, options: ApiOptions): Surface {
  const { peer, tasks, inputs, mounts = [], clock = systemClock } = components;
  const { principal = "operator", maxBodyBytes = MIB, heartbeatMs = 15_000 } = options;
  const app = new Hono<{ Bindings: Bindings }>();
  app.onError((error) => {
    throw error;
  });
  app.notFound((c) => problemResponse(notFound, c.env.requestId));
  const onMethodNotAllowed = (c: Context<{ Bindings: Bindings }>, allowed: string[]): Response => {
    const response = problemResponse(wrongMethod, c.env.requestId);
    response.headers.set("allow", allowed.join(", "));
    return response;
  };
  app.use(methodNotAllowed({ app, onMethodNotAllowed }));
  peerRoutes(app, peer);
  if (inputs) inputRoutes(app, inputs);
  const live = (request: Request): { clock: typeof clock; heartbeatMs: number; stop: AbortController } => {
    const stop = new AbortController();
    request.signal.addEventListener("abort", () => stop.abort(request.signal.reason), { once: true });
    return { clock, heartbeatMs, stop };
  };
  if (tasks) taskRoutes(app, tasks, { principal, maxBodyBytes, live });
  for (const mount of mounts)
    for (const path of mount.paths) {
      app.all(path, (c) => mount.fetch(c.req.raw));
      app.all(`${path}/*`, (c) => mount.fetch(c.req.raw));
    }
  return app;
}

function harden(response: Response, requestId: string): Response {
  const headers = new Headers(response.headers);
  headers.set("x-request-id", requestId);
  headers.set("x-content-type-options", "nosniff");
  headers.set("referrer-policy", "no-referrer");
  headers.set("cross-origin-opener-policy", "same-origin");
  headers.set("cross-origin-resource-policy", "same-origin");
  if (!headers.has("content-security-policy"))
    headers.set("content-security-policy", "default-src 'none'; frame-ancestors 'none'");
  return new Response(response.body, { status: response.status, headers });
}
