import { hkdfSync, randomBytes } from "node:crypto";
import { join } from "node:path";
import { type Logger, systemClock } from "@chorus/kernel";
import { deriveKeys, type DhtStorage, dhtStorage, openMeshKeys } from "@chorus/dht-storage";
import { type P2p, p2p } from "@chorus/p2p";
import { createSentinel, type Sentinel } from "@chorus/shhh";
import type { Config } from "./config.ts";
import { prepareDirectory } from "./directory.ts";
import { jsonLogger, type LogSink } from "./logger.ts";
import { topics } from "./wire.ts";

/** What every peer has, whatever else it does. */
export interface Base {
  readonly logger: Logger;
  readonly sentinel: Sentinel;
  readonly mesh: P2p;
  readonly storage: DhtStorage;
}

/** Opens the parts that every peer has; they are closed by `stack`. */
export async function openBase(config: Config, stack: AsyncDisposableStack, sink: LogSink): Promise<Base> {
  prepareDirectory(config.dataDirectory);
  const sentinel = createSentinel({ key: fingerprintKey(config), known: knownSecrets(config) });
  const logger = jsonLogger(config.logLevel, sentinel, sink).child({ name: config.name });
  const { cluster, clusterSecret } = config;
  const mesh = stack.use(
    await p2p(
      { logger, clock: systemClock },
      {
        cluster,
        ...(clusterSecret === undefined ? {} : { clusterSecret }),
        identityFile: config.identityFile,
        listen: config.listen,
        announce: config.announce,
        bootstrap: config.bootstrap,
        mdns: config.mdns,
        topics: Object.values(topics),
      },
    ),
  );
  const keys =
    clusterSecret === undefined ? openMeshKeys({ cluster }) : deriveKeys({ clusterSecret, cluster });
  const { streams, routing, signer } = mesh;
  const storage = stack.use(
    await dhtStorage(
      { streams, routing, signer, keys, clock: systemClock, logger },
      {
        directory: join(config.dataDirectory, "storage"),
        cluster,
        capacityBytes: config.storageBytes,
        maxArtifactBytes: config.inputBytes,
      },
    ),
  );
  return { logger, sentinel, mesh, storage };
}

/** One key a mesh, so that the tags of one secret agree everywhere in it and nowhere else. */
function fingerprintKey({ clusterSecret, cluster }: Config): Uint8Array {
  if (clusterSecret === undefined) return randomBytes(32);
  return new Uint8Array(hkdfSync("sha256", clusterSecret, `chorus/shhh/v1|${cluster}`, "fingerprint", 32));
}

/** The secrets that this process itself holds: they must not leave it in any form. */
function knownSecrets(config: Config): { value: string | Uint8Array; label: string }[] {
  const { clusterSecret, httpToken, effectsCredentials } = config;
  const credentials = Object.entries(effectsCredentials).map(([name, credential]) => ({
    value: secretOf(credential),
    label: `credential:${name}`,
  }));
  return [
    ...credentials,
    ...(clusterSecret === undefined ? [] : [{ value: clusterSecret, label: "cluster-secret" }]),
    ...(httpToken === undefined ? [] : [{ value: httpToken, label: "api-token" }]),
  ];
}

function secretOf(credential: Config["effectsCredentials"][string]): string {
  if (credential.kind === "bearer") return credential.token;
  return credential.kind === "basic" ? credential.password : credential.value;
}
