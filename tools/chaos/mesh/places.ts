import { freePorts } from "../../free-ports.ts";

/** From whom to whom, by number; in this direction only. */
export type Way = readonly [from: number, to: number];

/** Where the peers of one mesh run. Disposing removes it; its peers have to be gone by then. */
export interface Place extends Disposable {
  readonly name: string;
  /** The address of a peer, a multiaddr: the same in all of its lives. */
  address(peer: number): string;
  /** How a peer's process is started here: words to put before its command, and the group it gets. */
  launch(peer: number): { readonly before: readonly string[]; readonly group?: number };
  /** Silently loses all that is sent these ways, until the next call. Undefined where the kernel cannot be asked. */
  readonly lose: ((ways: readonly Way[]) => void) | undefined;
}

/** 127.0.0.1 of this machine, without any rights: processes can be killed and stopped, packets cannot be lost. */
export async function machineLoopback(peers: number): Promise<Place> {
  const ports = await freePorts(peers);
  return {
    name: "loopback",
    address: (peer) => `/ip4/127.0.0.1/tcp/${ports[peer]}`,
    launch: () => ({ before: [] }),
    lose: undefined,
    [Symbol.dispose]: () => undefined,
  };
}
