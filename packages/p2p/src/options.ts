import { InvalidInputError, type PeerId } from "@chorus/kernel";
import { multiaddr, type Multiaddr } from "@multiformats/multiaddr";
import type { Candidate } from "./address-book.ts";
import type { Encryption, P2pOptions } from "./contract.ts";
import { peerOf, withoutPeer } from "./peer-ids.ts";

/** The options with every default in place, addresses parsed. */
export interface Settings {
  readonly cluster: string;
  readonly clusterSecret: Uint8Array | undefined;
  readonly identityFile: string;
  readonly listen: readonly string[];
  readonly announce: readonly string[];
  readonly bootstrap: readonly Candidate[];
  readonly mdns: boolean;
  readonly topics: readonly string[];
  readonly isRevoked: (peer: PeerId) => boolean;
  readonly encryption: readonly Encryption[];
  readonly addressBookFile: string | false;
  readonly serveRelay: boolean;
  readonly useRelays: number;
}

type BoundedOptions = Pick<P2pOptions, "cluster" | "clusterSecret" | "topics"> &
  Pick<Settings, "encryption" | "useRelays">;

const SECRET_BYTES = 32;
const MAX_CLUSTER_CHARACTERS = 64;
/** gossipsub gives each peer a budget of about a thousand topics; a mesh of ours has six. */
const MAX_TOPICS = 64;
const MAX_RELAYS = 4;

/** @throws InvalidInputError naming the option */
export function parseOptions(options: P2pOptions): Settings {
  const { cluster, topics, encryption = ["tls", "noise"], useRelays = 0 } = options;
  checkBounds({ ...options, encryption, useRelays });
  return {
    cluster,
    clusterSecret: options.clusterSecret?.slice(),
    identityFile: options.identityFile,
    listen: addresses(options.listen ?? ["/ip4/127.0.0.1/tcp/0"], "listen"),
    announce: addresses(options.announce ?? [], "announce"),
    bootstrap: (options.bootstrap ?? []).map(bootstrapPeer),
    mdns: options.mdns ?? true,
    topics: [...new Set(topics)],
    isRevoked: careful(options.isRevoked),
    addressBookFile: options.addressBookFile ?? `${options.identityFile}.peers`,
    encryption,
    serveRelay: options.serveRelay ?? false,
    useRelays,
  };
}

function checkBounds({ cluster, clusterSecret, topics, encryption, useRelays }: BoundedOptions): void {
  require(cluster.length > 0 &&
    cluster.length <= MAX_CLUSTER_CHARACTERS, "cluster", "must be 1 to 64 characters");
  if (clusterSecret !== undefined)
    require(clusterSecret.length === SECRET_BYTES, "clusterSecret", "must be 32 bytes");
  require(topics.length <= MAX_TOPICS, "topics", `are more than ${MAX_TOPICS}`);
  require(encryption.length > 0, "encryption", "must name at least one");
  const some = Number.isInteger(useRelays) && useRelays >= 0 && useRelays <= MAX_RELAYS;
  require(some, "useRelays", `must be a whole number up to ${MAX_RELAYS}`);
}

function require(holds: boolean, path: string, problem: string): void {
  if (!holds) throw new InvalidInputError(path, problem);
}

/** An answer that cannot be had counts as a yes: letting a revoked peer in is the worse mistake. */
function careful(isRevoked: P2pOptions["isRevoked"]): (peer: PeerId) => boolean {
  return (peer) => {
    try {
      return isRevoked?.(peer) ?? false;
    } catch {
      return true;
    }
  };
}

function addresses(list: readonly string[], path: string): readonly string[] {
  return list.map((text, i) => withoutPeer(parseAddress(text, `${path}/${i}`)));
}

function bootstrapPeer(text: string, i: number): Candidate {
  const path = `bootstrap/${i}`;
  const address = parseAddress(text, path);
  let peer: PeerId | undefined;
  try {
    peer = peerOf(address);
  } catch (cause) {
    throw new InvalidInputError(path, "names a malformed peer", cause);
  }
  if (peer === undefined) throw new InvalidInputError(path, "must end in /p2p/ and an Ed25519 peer id");
  return { peer, addresses: [withoutPeer(address)] };
}

function parseAddress(text: string, path: string): Multiaddr {
  try {
    return multiaddr(text);
  } catch (cause) {
    throw new InvalidInputError(path, "is not a multiaddr such as /ip4/127.0.0.1/tcp/4001", cause);
  }
}
