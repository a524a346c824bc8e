/**
 * The HTTP API of a peer: tasks, events over SSE, info, health. Web standards in, web standards out.
 *
 * @example
 * import { api } from "@chorus/api";
 *
 * const token = crypto.randomUUID().repeat(2);
 * const server = api(
 *   {
 *     peer: {
 *       info: () => ({ name: "alice" }),
 *       peers: () => [],
 *       election: () => ({}),
 *       health: async () => [{ name: "p2p", status: "pass" }],
 *     },
 *   },
 *   { token, hosts: ["localhost:8080"] },
 * );
 * const response = await server.fetch(
 *   new Request("http://localhost:8080/v1/info", { headers: { authorization: `Bearer ${token}` } }),
 * );
 * console.log(response.status, await response.json());
 *
 * @packageDocumentation
 */
export { api } from "./api.ts";
export type {
  Api,
  ApiComponents,
  ApiOptions,
  HealthCheck,
  Inputs,
  Mount,
  Peer,
  Tasks,
} from "./contract.ts";
export { ApiOptionsError } from "./errors.ts";
