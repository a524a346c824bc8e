import type { Env, Hono } from "hono";
import { Refusal } from "./body.ts";
import type { HealthCheck, Inputs, Peer } from "./contract.ts";

/** `/health/*` and what a peer knows of itself and the mesh. */
export function peerRoutes<E extends Env>(app: Hono<E>, peer: Peer): void {
  app.get("/health/live", () => healthResponse([]));
  app.get("/health/ready", async () => healthResponse(await peer.health()));
  app.get("/health/startup", async () => healthResponse(await peer.health()));
  app.get("/v1/info", (c) => c.json(peer.info()));
  app.get("/v1/peers", (c) => c.json({ items: peer.peers() }));
  app.get("/v1/election", (c) => c.json(peer.election()));
}

/** `POST /v1/inputs`: a task's input as a stream, kept under the address that the answer names. */
export function inputRoutes<E extends Env>(app: Hono<E>, inputs: Inputs): void {
  app.post("/v1/inputs", async (c) => {
    const { body, headers, signal } = c.req.raw;
    if (body === null) throw new Refusal({ status: 400, code: "empty-body", title: "The input is empty" });
    const mediaType = (headers.get("content-type") ?? "").split(";")[0]?.trim() ?? "";
    const stored = await inputs.store(body, { mediaType, signal });
    return c.json(stored, 201);
  });
}

/** Health as draft-inadarei-api-health-check has it: warn is still 200, fail is 503. */
function healthResponse(checks: readonly HealthCheck[]): Response {
  const has = (status: string): boolean => checks.some((check) => check.status === status);
  const status = has("fail") ? "fail" : has("warn") ? "warn" : "pass";
  const byName = Object.fromEntries(checks.map(({ name, ...check }) => [name, [check]]));
  const body = checks.length === 0 ? { status } : { status, checks: byName };
  return new Response(JSON.stringify(body), {
    status: status === "fail" ? 503 : 200,
    headers: { "content-type": "application/health+json", "cache-control": "no-store" },
  });
}
