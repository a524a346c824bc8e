/**
 * A libp2p node as a closed, self-healing mesh behind a narrow interface.
 *
 * @example
 * import { mkdtemp } from "node:fs/promises";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 * import { type P2p, p2p } from "@chorus/p2p";
 *
 * const folder = await mkdtemp(join(tmpdir(), "mesh-"));
 * const clusterSecret = crypto.getRandomValues(new Uint8Array(32));
 * const start = (name: string, bootstrap: readonly string[]): Promise<P2p> =>
 *   p2p({}, { cluster: "demo", clusterSecret, identityFile: join(folder, name), bootstrap, topics: ["news"] });
 *
 * await using alice = await start("alice", []);
 * await using bob = await start("bob", alice.addresses());
 *
 * alice.streams.handle("/demo/echo/1.0.0", async (stream) => {
 *   for await (const frame of stream.frames) await stream.send(frame);
 *   await stream.close();
 * });
 * const { signal } = new AbortController();
 * const stream = await bob.streams.open(alice.signer.peer, "/demo/echo/1.0.0", { signal });
 * await stream.send(new TextEncoder().encode("hello"));
 * await stream.close();
 * for await (const frame of stream.frames) console.log(new TextDecoder().decode(frame));
 *
 * @packageDocumentation
 */
export type { ConnectionInfo, Encryption, P2p, P2pComponents, P2pOptions, Routing } from "./contract.ts";
export {
  AddressInUseError,
  IdentityExposedError,
  IdentityUnreadableError,
  IdentityUnwritableError,
  UnreachableError,
} from "./errors.ts";
export { p2p } from "./p2p.ts";
