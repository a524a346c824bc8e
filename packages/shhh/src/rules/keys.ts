import type { TokenRule } from "../contract.ts";
import { atLeast, between, exactly } from "../part.ts";

/** Keys that are secrets by themselves. */
export const keyRules: readonly TokenRule[] = [
  {
    id: "age-secret-key",
    kind: "age secret key",
    anchors: ["AGE-SECRET-KEY-1"],
    body: [atLeast("bech32-upper", 58)],
  },
  {
    id: "age-secret-key-pq",
    kind: "age post-quantum secret key",
    anchors: ["AGE-SECRET-KEY-PQ-1"],
    body: [atLeast("bech32-upper", 58)],
  },
  {
    id: "age-plugin",
    kind: "age plugin identity",
    anchors: ["AGE-PLUGIN-"],
    body: [between("alnum-upper", [1, 32]), "-1", atLeast("bech32-upper", 16)],
  },
  {
    id: "libp2p-ed25519",
    kind: "libp2p Ed25519 private key",
    anchors: ["CAESQ"],
    body: [exactly("base64-any", 86)],
  },
  {
    id: "libp2p-secp256k1",
    kind: "libp2p secp256k1 private key",
    anchors: ["CAISI"],
    body: [exactly("base64-any", 43)],
  },
  {
    id: "libp2p-rsa",
    kind: "libp2p RSA private key",
    anchors: ["CAASp", "CAASq", "CAASi", "CAASj"],
    body: [atLeast("base64-any", 760)],
  },
  {
    id: "libp2p-ed25519-hex",
    kind: "libp2p Ed25519 private key in hex",
    anchors: ["08011240"],
    body: [exactly("hex", 128)],
  },
  {
    id: "libp2p-swarm-key",
    kind: "libp2p private network key",
    anchors: ["/key/swarm/psk/1.0.0/\n/base16/\n"],
    body: [exactly("hex-any", 64)],
    keepAnchor: true,
  },
  {
    id: "docker-swarm-join",
    kind: "Docker Swarm join token",
    anchors: ["SWMTKN-1-"],
    body: [between("alnum-lower", [48, 50]), "-", atLeast("alnum-lower", 24)],
  },
  {
    id: "docker-swarm-unlock",
    kind: "Docker Swarm unlock key",
    anchors: ["SWMKEY-1-"],
    body: [atLeast("base64", 43)],
  },
  {
    id: "bip32-private",
    kind: "extended private key",
    anchors: ["xprv", "tprv", "yprv", "zprv"],
    body: [exactly("base58", 107)],
  },
];
