import { InvalidInputError, type Logger, type PeerId, silentLogger } from "@chorus/kernel";
import { multiaddr, type Multiaddr } from "@multiformats/multiaddr";
import type { Candidate } from "./address-book.ts";
import { checkedBytes, checkedFlag, checkedList, checkedText, checkFunction, demand } from "./checks.ts";
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

const SECRET_BYTES = 32;
const MAX_CLUSTER_CHARACTERS = 64;
/** gossipsub gives each peer a budget of about a thousand topics; a mesh of ours has six. */
const MAX_TOPICS = 64;
/** A topic rides in every message and every subscription. */
const MAX_TOPIC_CHARACTERS = 256;
const MAX_RELAYS = 4;
/** Linux's PATH_MAX. */
const MAX_PATH_CHARACTERS = 4096;
const MAX_ADDRESS_CHARACTERS = 1024;
/** What our transports listen on; libp2p leaves out in silence what none of its own takes. */
const LISTENABLE = /^(?:\/ip6zone\/[^/]+)?\/(?:ip4|ip6|dns|dns4|dns6)\/[^/]+\/tcp\/\d+(?:\/ws)?$/;

/** @throws InvalidInputError naming the option */
export function parseOptions(options: P2pOptions, logger: Logger = silentLogger): Settings {
  demand(typeof options === "object" && options !== null, "options", "must be an object");
  const { listen = ["/ip4/127.0.0.1/tcp/0"], announce = [], bootstrap = [], mdns = true } = options;
  const { encryption = ["tls", "noise"], serveRelay = false, useRelays = 0 } = options;
  const identityFile = checkedText(options.identityFile, "identityFile", MAX_PATH_CHARACTERS);
  return {
    cluster: checkedText(options.cluster, "cluster", MAX_CLUSTER_CHARACTERS),
    clusterSecret: secret(options.clusterSecret),
    identityFile,
    listen: checkedList(listen, "listen").map(listenAddress),
    announce: checkedList(announce, "announce").map((text, i) =>
      withoutPeer(parseAddress(text, `announce/${i}`)),
    ),
    bootstrap: checkedList(bootstrap, "bootstrap").map(bootstrapPeer),
    mdns: checkedFlag(mdns, "mdns"),
    topics: topicNames(options.topics),
    isRevoked: careful(options.isRevoked, logger),
    addressBookFile: bookFile(options.addressBookFile, `${identityFile}.peers`),
    encryption: encrypters(encryption),
    serveRelay: checkedFlag(serveRelay, "serveRelay"),
    useRelays: relayCount(useRelays),
  };
}

function secret(value: unknown): Uint8Array | undefined {
  if (value === undefined) return undefined;
  const bytes = checkedBytes(value, "clusterSecret");
  demand(bytes.length === SECRET_BYTES, "clusterSecret", `must be ${SECRET_BYTES} bytes`);
  // Memory that nobody has filled.
  demand(
    bytes.some((byte) => byte !== 0),
    "clusterSecret",
    "must be random bytes, not all zero",
  );
  // Not slice: that of a Buffer shares its memory.
  return new Uint8Array(bytes);
}

function topicNames(value: unknown): readonly string[] {
  const names = checkedList(value, "topics");
  demand(names.length <= MAX_TOPICS, "topics", `are more than ${MAX_TOPICS}`);
  return [...new Set(names.map((name, i) => checkedText(name, `topics/${i}`, MAX_TOPIC_CHARACTERS)))];
}

function encrypters(value: unknown): readonly Encryption[] {
  const names = checkedList(value, "encryption");
  demand(names.length > 0, "encryption", "must name at least one");
  return names.map((name, i) => {
    demand(name === "tls" || name === "noise", `encryption/${i}`, "must be tls or noise");
    return name;
  });
}

function bookFile(value: unknown, usual: string): string | false {
  if (value === undefined) return usual;
  return value === false ? false : checkedText(value, "addressBookFile", MAX_PATH_CHARACTERS);
}

function relayCount(value: number): number {
  const some = Number.isInteger(value) && value >= 0 && value <= MAX_RELAYS;
  demand(some, "useRelays", `must be a whole number from 0 to ${MAX_RELAYS}`);
  return value;
}

/** An answer that cannot be had counts as a yes: letting a revoked peer in is the worse mistake. */
function careful(isRevoked: P2pOptions["isRevoked"], logger: Logger): (peer: PeerId) => boolean {
  if (isRevoked === undefined) return () => false;
  checkFunction(isRevoked, "isRevoked");
  let complained = false;
  return (peer) => {
    try {
      const answer: unknown = isRevoked(peer);
      return checkedFlag(answer, "isRevoked");
    } catch (error) {
      // Once: it is asked for every message.
      if (!complained) logger.warn("isRevoked has no answer, which counts as yes", { peer, error });
      complained = true;
      return true;
    }
  };
}

function listenAddress(text: unknown, i: number): string {
  const path = `listen/${i}`;
  const address = withoutPeer(parseAddress(text, path));
  demand(LISTENABLE.test(address), path, "must be TCP or WebSocket: /ip4/…/tcp/…, /ip4/…/tcp/…/ws");
  return address;
}

function bootstrapPeer(text: unknown, i: number): Candidate {
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

function parseAddress(value: unknown, path: string): Multiaddr {
  const text = checkedText(value, path, MAX_ADDRESS_CHARACTERS);
  try {
    return multiaddr(text);
  } catch (cause) {
    throw new InvalidInputError(path, "is not a multiaddr such as /ip4/127.0.0.1/tcp/4001", cause);
  }
}
