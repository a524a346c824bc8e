/**
 * UCXI: resolves UCXL addresses over HTTP. It answers verified content or a problem, never anything between.
 *
 * @example
 * import { cidOf } from "@chorus/kernel";
 * import { ucxi } from "@chorus/ucxi";
 *
 * const bytes = new TextEncoder().encode("hello");
 * const cid = await cidOf(bytes, "raw");
 * const server = ucxi({
 *   resolver: {
 *     resolve: async () => undefined,
 *     block: async (asked) => (asked === cid ? { bytes, codec: "raw" } : undefined),
 *   },
 * });
 * const response = await server.fetch(new Request(`http://localhost/v1/blocks/${cid}`));
 * console.log(response.status, await response.text());
 *
 * @packageDocumentation
 */
export type { Block, Resolution, Resolver, Ucxi, UcxiComponents, UcxiOptions } from "./contract.ts";
export { ucxi } from "./ucxi.ts";
