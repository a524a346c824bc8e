import type { PeerStream, PubSub, Streams } from "@chorus/kernel";

interface Ports {
  readonly streams: Streams;
  readonly pubsub: PubSub;
}

/**
 * The same ports, which ask before they hand over anything that came in. After a stop, what deposes an admin waits in
 * its sockets, and would be taken in before any timer runs: whether it still believed in its lease would be lost.
 */
export function askedFirst({ streams, pubsub }: Ports, ask: () => void): Ports {
  async function* asking<T>(source: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
    for await (const item of source) {
      ask();
      yield item;
    }
  }
  const asked = (stream: PeerStream): PeerStream => ({
    peer: stream.peer,
    frames: asking(stream.frames),
    send: (frame) => stream.send(frame),
    close: () => stream.close(),
    abort: (reason) => stream.abort(reason),
  });
  return {
    pubsub: {
      publish: (topic, type, body) => pubsub.publish(topic, type, body),
      subscribe: (topic, options) => asking(pubsub.subscribe(topic, options)),
    },
    streams: {
      peers: () => streams.peers(),
      handle: (protocol, handler) => streams.handle(protocol, (stream) => handler(asked(stream))),
      open: (peer, protocol, options) => streams.open(peer, protocol, options),
      changes: (options) => asking(streams.changes(options)),
    },
  };
}
