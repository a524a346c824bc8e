import type { PeerId as Libp2pPeerId } from "@libp2p/interface";
import { parsePeerId, type PeerId } from "@chorus/kernel";
import { peerIdFromString } from "@libp2p/peer-id";
import { multiaddr, type Multiaddr } from "@multiformats/multiaddr";
import { base36 } from "multiformats/bases/base36";

const P2P = "p2p";

/** libp2p's peer id in our form. @throws InvalidInputError when it does not hold an Ed25519 key */
export function toPeerId(id: Libp2pPeerId): PeerId {
  return parsePeerId(id.toCID().toString(base36));
}

/** As {@link toPeerId}, but undefined for a peer that can be no member of ours. */
export function asPeerId(id: Libp2pPeerId): PeerId | undefined {
  return id.type === "Ed25519" ? toPeerId(id) : undefined;
}

/** Our form in libp2p's. */
export function fromPeerId(peer: PeerId): Libp2pPeerId {
  return peerIdFromString(peer);
}

/** The peer that an address ends in, if it names one. */
export function peerOf(address: Multiaddr): PeerId | undefined {
  const last = address.getComponents().at(-1);
  return last?.name === P2P && last.value !== undefined ? asPeerId(peerIdFromString(last.value)) : undefined;
}

/** `address` with exactly one trailing `/p2p/<peer>`, in libp2p's own spelling (`12D3…`), ready to dial. */
export function dialable(address: Multiaddr, peer: PeerId): Multiaddr {
  return multiaddr(`${withoutPeer(address)}/p2p/${fromPeerId(peer).toString()}`);
}

/** As people and our other packages write it: ending in `/p2p/k51…`, and so is the relay named, if there is one. */
export function written(address: Multiaddr, peer: PeerId): string {
  const relay = isRelayed(address)
    ? address.getComponents().find(({ name }) => name === P2P)?.value
    : undefined;
  const place = withoutPeer(address);
  const named =
    relay === undefined ? place : place.replace(relay, asPeerId(peerIdFromString(relay)) ?? relay);
  return `${named}/p2p/${peer}`;
}

/** Whether the address leads through a relay. */
export function isRelayed(address: Multiaddr): boolean {
  return address.getComponents().some(({ name }) => name === "p2p-circuit");
}

/** The transport part of an address. */
export function withoutPeer(address: Multiaddr): string {
  return address.toString().replace(/\/p2p\/[^/]+$/, "");
}
