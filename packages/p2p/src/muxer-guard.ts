import type { Clock } from "@chorus/kernel";
import type { MessageStream, StreamMuxerFactory } from "@libp2p/interface";
import type { Uint8ArrayList } from "uint8arraylist";
import { YamuxWatch } from "./yamux-watch.ts";

/** What the guard is made from. */
export interface MuxerGuard {
  readonly clock: Clock;
  /** Told why a connection is about to be broken. */
  readonly blame: (connection: MessageStream, problem: string) => void;
}

/**
 * yamux that hangs up on a peer which abuses it. libp2p's muxer believes any length in a frame's header and
 * answers every control frame, so one member could fill our memory without ever opening a stream.
 */
export function guarded<C>(
  make: (components: C) => StreamMuxerFactory,
  { clock, blame }: MuxerGuard,
): (components: C) => StreamMuxerFactory {
  return (components) => {
    const inner = make(components);
    return {
      protocol: inner.protocol,
      [Symbol.toStringTag]: "guarded-muxer",
      createStreamMuxer(connection) {
        // First, so that it sees what arrives before the muxer does.
        guard(connection, new YamuxWatch(clock), blame);
        return inner.createStreamMuxer(connection);
      },
    };
  };
}

function guard(connection: MessageStream, watch: YamuxWatch, blame: MuxerGuard["blame"]): void {
  connection.addEventListener("drain", () => watch.drained());
  connection.addEventListener("message", (event) => {
    const problem = judge(watch, event.data, connection.writableNeedsDrain);
    if (problem === undefined) return;
    // The muxer must not see it.
    event.stopImmediatePropagation();
    blame(connection, problem);
    connection.abort(new Error(problem));
  });
}

function judge(watch: YamuxWatch, data: Uint8Array | Uint8ArrayList, stuck: boolean): string | undefined {
  for (const part of data instanceof Uint8Array ? [data] : data) {
    const problem = watch.see(part, stuck);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
