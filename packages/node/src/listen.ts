import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { ListenError } from "./errors.ts";

/** A server that is listening; disposing it ends open streams too. */
export interface Listening extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
}

/**
 * Serves a handler over HTTP. The handler is made once the port is known, since it must know its own name.
 * @throws ListenError
 */
export async function listen(
  address: { readonly host: string; readonly port: number },
  makeHandler: (port: number) => (request: Request) => Promise<Response>,
): Promise<Listening> {
  const server = createServer();
  const where = `${address.host}:${address.port}`;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const problem = error.code === "EADDRINUSE" ? "the port is taken by another process" : error.message;
      reject(new ListenError(where, problem, error));
    });
    server.listen(address.port, address.host, resolve);
  });
  const { port } = boundTo(server.address());
  const listener = getRequestListener(makeHandler(port), { overrideGlobalObjects: false });
  server.on("request", (request, response) => {
    closeUnread(request, response);
    void listener(request, response);
  });
  return {
    host: address.host,
    port,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A refusal may come before the body has been read; the client must not send its next request behind the rest. */
function closeUnread(request: IncomingMessage, response: ServerResponse): void {
  const { "content-length": length = "0", "transfer-encoding": encoding } = request.headers;
  if (length === "0" && encoding === undefined) return;
  response.setHeader("connection", "close");
  request.once("end", () => {
    if (!response.headersSent) response.removeHeader("connection");
  });
}

function boundTo(address: AddressInfo | string | null): AddressInfo {
  if (address === null || typeof address === "string") throw new ListenError("", "no TCP address was bound");
  return address;
}
