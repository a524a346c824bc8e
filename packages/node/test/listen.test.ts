import { createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { listen } from "../src/listen.ts";

const anywhere = { host: "127.0.0.1", port: 0 };

describe("listen", () => {
  it("serves a handler that knows its own port", async () => {
    await using server = await listen(anywhere, (port) => async () => new Response(String(port)));
    expect(await (await fetch(`http://127.0.0.1:${server.port}/`)).text()).toBe(String(server.port));
  });
  it("names the port that another process has", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const address = other.address();
    const port = typeof address === "object" && address ? address.port : 0;
    await expect(listen({ host: "127.0.0.1", port }, () => async () => new Response())).rejects.toMatchObject(
      {
        code: "node/listen",
        message: `cannot listen on 127.0.0.1:${port}: the port is taken by another process`,
      },
    );
    other.close();
  });
  it("answers early without spoiling the client's next request", async () => {
    await using server = await listen(anywhere, () => async (request) => {
      if (request.headers.get("x-early") === "yes") return new Response("no", { status: 413 });
      return new Response(String((await request.arrayBuffer()).byteLength));
    });
    const post = (headers: Record<string, string>): Promise<Response> =>
      fetch(`http://127.0.0.1:${server.port}/`, { method: "POST", body: new Uint8Array(3_000_000), headers });
    for (let round = 0; round < 5; round++) {
      expect((await post({ "x-early": "yes" })).status).toBe(413);
      expect(await (await post({})).text()).toBe("3000000");
    }
  });
  it("keeps a connection whose request was read", async () => {
    await using server = await listen(anywhere, () => async () => new Response("x"));
    const response = await fetch(`http://127.0.0.1:${server.port}/`);
    expect(response.headers.get("connection")).toBe("keep-alive");
    await response.text();
  });
  it("ends open streams when it is disposed", async () => {
    const server = await listen(anywhere, () => async () => new Response(new ReadableStream()));
    const body = (await fetch(`http://127.0.0.1:${server.port}/`)).text();
    body.catch(() => undefined);
    await server[Symbol.asyncDispose]();
    await expect(body).rejects.toThrow("terminated");
  });
});
