import type { PeerId, Streams } from "@chorus/kernel";
import { FAREWELL_PROTOCOL } from "./names.ts";

/** A member that hangs may not hold up the end of a process. */
const FAREWELL_TIMEOUT_MS = 1_000;

/** Hears of members that leave on purpose. The stream itself says it: it comes from the leaver's own connection. */
export function serveFarewell(streams: Streams, left: (peer: PeerId) => void): Disposable {
  return streams.handle(FAREWELL_PROTOCOL, async (stream) => {
    left(stream.peer);
    await stream.close();
  });
}

/** Tells every connected member that this node leaves, so that none searches for it. Never fails. */
export async function sayFarewell(streams: Streams): Promise<void> {
  const signal = AbortSignal.timeout(FAREWELL_TIMEOUT_MS);
  await Promise.allSettled(
    streams.peers().map(async (peer) => {
      const stream = await streams.open(peer, FAREWELL_PROTOCOL, { signal });
      await stream.close();
      // Its end is the answer: the connection must not break before the other side has heard.
      await Array.fromAsync(stream.frames);
    }),
  );
}
