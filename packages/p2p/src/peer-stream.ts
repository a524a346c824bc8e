import type { PeerId, PeerStream } from "@chorus/kernel";
import type { Stream } from "@libp2p/interface";
import { FrameReader } from "./frame-reader.ts";
import { FrameWriter } from "./frame-writer.ts";

/** A libp2p stream as the kernel's port. Listens at once, so call it before anything can be lost. */
export function peerStream(peer: PeerId, stream: Stream): PeerStream {
  const reader = new FrameReader(stream);
  const writer = new FrameWriter(stream);
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
  };
}
