import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import type { PeerId, PeerStream, Streams } from "@chorus/kernel";

/** Streams between processes of one machine, without what a mesh adds: so the figures are the ledger's own. */
export interface SocketStreams extends Disposable {
  readonly streams: Streams;
}

/**
 * @param directory where every member has its socket
 * @param keepsAlive whether the process lives for it
 */
export async function socketStreams(
  self: PeerId,
  directory: string,
  keepsAlive: boolean,
): Promise<SocketStreams> {
  const handlers = new Map<string, (stream: PeerStream) => Promise<void>>();
  const server: Server = createServer((socket) => {
    void serve(socket, handlers);
  });
  server.listen(join(directory, self.slice(-12)));
  await once(server, "listening");
  if (!keepsAlive) server.unref();
  return {
    streams: {
      peers: () => [],
      async *changes() {},
      handle(protocol, handler) {
        handlers.set(protocol, handler);
        return { [Symbol.dispose]: () => void handlers.delete(protocol) };
      },
      async open(peer, protocol, { signal }) {
        const socket = connect(join(directory, peer.slice(-12)));
        await once(socket, "connect", { signal });
        const stream = streamOf(socket, peer, frames(socket));
        await stream.send(Buffer.from(JSON.stringify([self, protocol])));
        return stream;
      },
    },
    [Symbol.dispose]: () => void server.close(),
  };
}

async function serve(
  socket: Socket,
  handlers: ReadonlyMap<string, (stream: PeerStream) => Promise<void>>,
): Promise<void> {
  const inbox = frames(socket);
  try {
    const { value } = await inbox.next();
    const [peer, protocol] = JSON.parse(Buffer.from(value ?? []).toString());
    await handlers.get(protocol)?.(streamOf(socket, peer, inbox));
  } catch {
    socket.destroy();
  }
}

function streamOf(socket: Socket, peer: PeerId, inbox: AsyncIterable<Uint8Array>): PeerStream {
  return {
    peer,
    frames: inbox,
    async send(frame) {
      const head = Buffer.alloc(4);
      head.writeUInt32BE(frame.length);
      if (!socket.write(Buffer.concat([head, frame]))) await once(socket, "drain");
    },
    close: async () => void socket.end(),
    abort: () => void socket.destroy(),
  };
}

/** Cuts the bytes of a socket into frames: a length of four bytes, then as many. */
async function* frames(socket: Socket): AsyncGenerator<Uint8Array> {
  let rest = Buffer.alloc(0);
  for await (const chunk of socket) {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE()) {
      const end = 4 + rest.readUInt32BE();
      yield rest.subarray(4, end);
      rest = rest.subarray(end);
    }
  }
}
