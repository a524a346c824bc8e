/**
 * Composition: from environment variables to a running peer, in one place.
 *
 * @example
 * import { mkdtempSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 * import { configuration, node } from "@chorus/node";
 *
 * const dataDirectory = mkdtempSync(join(tmpdir(), "chorus-"));
 * const config = configuration({ CHORUS_NAME: "alice", CHORUS_DATA_DIR: dataDirectory, CHORUS_MDNS: "false" });
 * await using peer = await node(config);
 * const response = await fetch(`${peer.url}/v1/info`, { headers: { authorization: `Bearer ${peer.token}` } });
 * console.log(await response.json());
 *
 * @packageDocumentation
 */
export { type Config, type ConfigEntry, configuration, describeConfig } from "./config.ts";
export { ConfigError, DataDirectoryError, ListenError } from "./errors.ts";
export { node, type NodeOptions, type RunningPeer } from "./node.ts";
export { runPeer, type RunOptions } from "./run.ts";
