import { Server, type Socket } from "node:net";
import type { Clock } from "@chorus/kernel";
import type { Listener, MultiaddrConnection, Transport, Upgrader } from "@libp2p/interface";
import { webSockets, type WebSocketsComponents } from "@libp2p/websockets";
import { limits } from "./limits.ts";

/**
 * libp2p's WebSocket transport with four holes closed, each of which a stranger can use before proving anything:
 * a malformed frame ends the process, a message may have 100 MiB, a silent socket stays for ever and holds up
 * the end of the listener, and an aborted connection keeps its socket (close code 1006 is refused by every
 * WebSocket implementation).
 */
export function webSocketTransport(clock: Clock): (components: WebSocketsComponents) => Transport {
  const make = webSockets();
  return (components) => {
    const transport = make(components);
    const dial = transport.dial.bind(transport);
    const createListener = transport.createListener.bind(transport);
    return Object.assign(transport, {
      dial: async (...[address, options]: Parameters<Transport["dial"]>) =>
        dial(address, { ...options, upgrader: closingSockets(options.upgrader) }),
      createListener: (options: Parameters<Transport["createListener"]>[0]) =>
        bounded(createListener({ ...options, upgrader: closingSockets(options.upgrader) }), clock),
    });
  };
}

/** Passes every call on; the connections that go through it end with their sockets. */
function closingSockets(upgrader: Upgrader): Upgrader {
  return {
    upgradeInbound: async (connection, options) => upgrader.upgradeInbound(closing(connection), options),
    upgradeOutbound: async (connection, options) => upgrader.upgradeOutbound(closing(connection), options),
    createInboundAbortSignal: (signal) => upgrader.createInboundAbortSignal(signal),
    getConnectionEncrypters: () => upgrader.getConnectionEncrypters(),
    getStreamMuxers: () => upgrader.getStreamMuxers(),
  };
}

function closing(connection: MultiaddrConnection): MultiaddrConnection {
  const socket = part(connection, "websocket");
  // Without a listener, what the other side does wrong would be an uncaught exception.
  call(socket, "addEventListener", "error", () => undefined);
  const end = typeof Reflect.get(socket, "terminate") === "function" ? "terminate" : "close";
  Reflect.set(connection, "sendReset", () => call(socket, end));
  return connection;
}

function bounded(listener: Listener, clock: Clock): Listener {
  const server = part(listener, "server");
  if (!(server instanceof Server)) throw new Error("the WebSocket listener has no server");
  Reflect.set(part(part(listener, "wsServer"), "options"), "maxPayload", limits.maxWebSocketMessageBytes);
  server.maxConnections = limits.maxSockets;
  const waiting = new Map<Socket, AbortController>();
  const settle = (socket: Socket): void => {
    waiting.get(socket)?.abort();
    waiting.delete(socket);
  };
  server.on("connection", (socket) => {
    const settled = new AbortController();
    waiting.set(socket, settled);
    socket.once("close", () => settle(socket));
    clock.sleep(limits.webSocketUpgradeMs, settled).then(
      () => socket.destroy(),
      () => undefined,
    );
  });
  const listen = listener.listen.bind(listener);
  const close = listener.close.bind(listener);
  return Object.assign(listener, {
    listen: async (address: Parameters<Listener["listen"]>[0]) => {
      await listen(address);
      const onUpgrade = ({ socket }: { readonly socket: Socket }): void => settle(socket);
      call(part(listener, "http"), "on", "upgrade", onUpgrade);
    },
    close: async () => {
      const closed = close();
      for (const socket of waiting.keys()) socket.destroy();
      await closed;
    },
  });
}

/** A private part of the transport, which offers no other way in; the tests notice when it goes. */
function part(owner: object, name: string): object {
  const value: unknown = Reflect.get(owner, name);
  if (typeof value !== "object" || value === null) throw new Error(`the WebSocket transport has no ${name}`);
  return value;
}

function call(owner: object, name: string, ...parameters: readonly unknown[]): void {
  const method: unknown = Reflect.get(owner, name);
  if (typeof method === "function") Reflect.apply(method, owner, parameters);
}
