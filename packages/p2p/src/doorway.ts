import type { Libp2p, MultiaddrConnection } from "@libp2p/interface";

/** Connections of strangers that have not proved themselves yet: each may cost a handshake. */
const MAX_WAITING = 64;
/** A pair that dials each other at once has two, and a dead one takes seconds to be noticed. */
const MAX_FOR_ONE_PEER = 4;

/**
 * Who connects and proves nothing waits here. When it is crowded, whoever has waited longest goes, and first
 * of all those of the address with the most: libp2p would refuse the newcomers instead, so that some dozen
 * silent connections kept every honest peer out.
 */
export class Doorway {
  /** Oldest first. */
  readonly #waiting = new Map<MultiaddrConnection, string>();

  enter(connection: MultiaddrConnection): void {
    this.#waiting.set(connection, hostOf(connection));
    connection.addEventListener("close", () => this.leave(connection));
    if (this.#waiting.size > MAX_WAITING)
      this.#oldestOfMost()?.abort(new Error("others are waiting to prove themselves"));
  }

  /** It is in, or gone. */
  leave(connection: MultiaddrConnection): void {
    this.#waiting.delete(connection);
  }

  #oldestOfMost(): MultiaddrConnection | undefined {
    const counts = new Map<string, number>();
    for (const host of this.#waiting.values()) counts.set(host, (counts.get(host) ?? 0) + 1);
    const most = Math.max(...counts.values());
    for (const [connection, host] of this.#waiting) if (counts.get(host) === most) return connection;
    return undefined;
  }
}

function hostOf({ remoteAddr }: MultiaddrConnection): string {
  const [part] = remoteAddr.getComponents();
  return part?.value ?? "";
}

/** A peer that opens one connection after the other loses its oldest; it must not use up everyone's. */
export function limitConnections(node: Libp2p): void {
  node.addEventListener("connection:open", ({ detail: { remotePeer } }) => {
    const theirs = node.getConnections(remotePeer).filter(({ status }) => status === "open");
    const surplus = theirs
      .toSorted((a, b) => a.timeline.open - b.timeline.open)
      .slice(0, Math.max(0, theirs.length - MAX_FOR_ONE_PEER));
    for (const connection of surplus) connection.abort(new Error("too many connections of one peer"));
  });
}
