import type { PeerId, PeerStream } from "@chorus/kernel";
import type { Stream } from "@libp2p/interface";
import { FrameReader } from "./frame-reader.ts";
import { FrameWriter } from "./frame-writer.ts";

/** A stream that knows what its other side keeps it waiting for. */
export interface HeldStream extends PeerStream {
  /** The same text for as long as the same thing is missing. */
  owed(): string | undefined;
  /** Its handler has returned: once our side is closed too, only the other side's end is missing. */
  answered(): void;
}

/** A libp2p stream as the kernel's port. Listens at once, so call it before anything can be lost. */
export function peerStream(peer: PeerId, stream: Stream): HeldStream {
  const reader = new FrameReader(stream);
  const writer = new FrameWriter(stream);
  let answered = false;
  return {
    peer,
    frames: {
      async *[Symbol.asyncIterator]() {
        for (;;) {
          const frame = await reader.next();
          if (frame === undefined) return;
          yield frame;
        }
      },
    },
    send: (frame) => writer.send(frame),
    close: () => writer.close(),
    abort: (reason) => stream.abort(reason),
    owed: () => {
      if (writer.owed !== undefined) return writer.owed;
      if (answered && writer.closed && !reader.over) return reader.owed ?? "its end";
      // Who has been answered already may have nothing to say.
      return reader.owed === "first frame" && writer.sent > 0 ? undefined : reader.owed;
    },
    answered() {
      answered = true;
    },
  };
}
