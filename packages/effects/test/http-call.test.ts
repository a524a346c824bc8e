import { expect, describe, it } from "vitest";
import { errorCode } from "@chorus/kernel";
import type { Effect, HttpCallOptions } from "../src/contract.ts";
import { httpCall } from "../src/http-call.ts";
import { isPublicAddress } from "../src/public-address.ts";
import { type EffectorBench, permitted } from "../src/testing/index.ts";
import { httpTarget } from "./fixtures/http-server.ts";

const signal = new AbortController().signal;
const TOKEN = "token-0123456789";

async function setup(options: Partial<HttpCallOptions> = {}) {
  const target = await httpTarget();
  const rule = { url: `${target.url}/orders/*`, idempotent: true, credential: "shop" };
  const agent = httpCall({
    allow: [rule],
    credentials: { shop: { kind: "bearer", token: TOKEN } },
    ...options,
  });
  return {
    target,
    agent,
    effect(change: Partial<Effect> = {}) {
      const bench = {
        effect: () => ({ kind: "http", target: `POST ${target.url}/orders/new`, ...change }),
        payload: () => new TextEncoder().encode("an order"),
      };
      return permitted(bench as unknown as EffectorBench, 0);
    },
    [Symbol.asyncDispose]: () => target[Symbol.asyncDispose](),
  };
}

const failure = (run: Promise<unknown>): Promise<unknown> =>
  run.then(
    () => undefined,
    (error: unknown) => error,
  );

it("sends the payload with the effect's key, the rule's credential and nothing of its own", async () => {
  await using test = await setup();
  const { effect, payload } = test.effect({ options: { "content-type": "application/json" } });
  const receipt = await test.agent.act(effect, payload, { signal });
  expect(receipt).toEqual({
    reference: effect.key,
    detail: { status: "201", body: expect.stringMatching(/^sha256:/), location: `/effects/${effect.key}` },
  });
  expect(test.target.requests).toEqual([
    {
      method: "POST",
      url: "/orders/new",
      headers: {
        "idempotency-key": effect.key,
        "content-type": "application/json",
        "content-length": "8",
        "user-agent": "chorus",
        authorization: `Bearer ${TOKEN}`,
        host: `127.0.0.1:${test.target.port}`,
        connection: "close",
      },
    },
  ]);
});

describe("the allow-list", () => {
  it.each(["/orders", "/orders/", "/orders-of-others/1", "/orders/../admin", "/orders/%2e%2e/admin", "/"])(
    "does not let %s through",
    async (path) => {
      await using test = await setup();
      const { effect, payload } = test.effect({ target: `POST ${test.target.url}${path}` });
      expect(errorCode(await failure(test.agent.act(effect, payload, { signal })))).toBe(
        "effects/target-not-allowed",
      );
      expect(test.target.requests).toEqual([]);
    },
  );

  it.each([
    ["another method", (url: string) => `PUT ${url}/orders/1`],
    ["another scheme", (url: string) => `POST ${url.replace("http:", "https:")}/orders/1`],
    ["another port", () => "POST http://127.0.0.1:1/orders/1"],
    ["another name for the host", (url: string) => `POST ${url.replace("127.0.0.1", "localhost")}/orders/1`],
  ])("does not let %s through", async (_name, targetOf) => {
    await using test = await setup();
    const { effect } = test.effect({ target: targetOf(test.target.url) });
    expect(() => test.agent.check(effect)).toThrowError(
      expect.objectContaining({ code: "effects/target-not-allowed" }),
    );
  });

  it.each([
    "POST http://user:word@127.0.0.1/orders/1",
    "POST http://127.0.0.1/orders/1#part",
    "POST http://127.0.0.1/orders/..%2fadmin",
    "POST http://127.0.0.1/orders\\1",
    "GET http://127.0.0.1/orders/1",
    "POST ftp://127.0.0.1/orders/1",
    "POST http://127.0.0.1/orders/1 HTTP/1.1",
  ])("names the target when it has two readings: %s", async (target) => {
    await using test = await setup();
    const { effect } = test.effect({ target });
    expect(() => test.agent.check(effect)).toThrowError(
      expect.objectContaining({
        code: "effects/invalid-effect",
        detail: expect.objectContaining({ field: "target" }),
      }),
    );
  });

  it.each([
    ["allow[0].url", { url: "https://shop.example/*/orders" }],
    ["allow[0].url", { url: "https://*/orders" }],
    ["allow[0].url", { url: "https://shop.example/orders?all" }],
    ["allow[0].methods", { url: "https://shop.example/", methods: ["GET"] }],
    ["allow[0].lookup", { url: "https://shop.example/", lookup: "https://other.example/{key}" }],
    ["allow[0].lookup", { url: "https://shop.example/", lookup: "https://shop.example/key" }],
    ["credentials.shop", { url: "https://shop.example/", credential: "shop" }],
  ])("names %s in a rule that is wrong", (field, rule) => {
    expect(() => httpCall({ allow: [rule] })).toThrowError(
      expect.objectContaining({ detail: expect.objectContaining({ field }) }),
    );
  });
});

describe("an answer", () => {
  it("that redirects is followed nowhere, and credentials stay here", async () => {
    await using test = await setup();
    await using elsewhere = await httpTarget();
    test.target.answer = { status: 307, headers: { location: `${elsewhere.url}/orders/new` } };
    const { effect, payload } = test.effect();
    expect(await failure(test.agent.act(effect, payload, { signal }))).toMatchObject({
      code: "effects/unanswered",
    });
    expect(elsewhere.requests).toEqual([]);
  });

  it.each([
    [400, "effects/refused"],
    [403, "effects/refused"],
    [404, "effects/refused"],
    [409, "effects/unanswered"],
    [422, "effects/unanswered"],
    [429, "effects/unanswered"],
    [500, "effects/unanswered"],
    [503, "effects/unanswered"],
  ])("with status %d is %s", async (status, code) => {
    await using test = await setup();
    test.target.answer = { status, body: `you sent ${TOKEN}` };
    const { effect, payload } = test.effect();
    const error = await failure(test.agent.act(effect, payload, { signal }));
    expect(errorCode(error)).toBe(code);
    expect(`${String(error)} ${JSON.stringify(error)}`).not.toContain(TOKEN);
  });

  it("that never ends is cut off, and one that never comes is not waited for", async () => {
    await using test = await setup({ maxResponseBytes: 100, timeoutMs: 200 });
    const { effect, payload } = test.effect();
    test.target.answer = { status: 200, body: "x".repeat(101) };
    expect(await failure(test.agent.act(effect, payload, { signal }))).toMatchObject({
      message: expect.stringContaining("more than 100 bytes"),
    });
    test.target.mute = true;
    expect(await failure(test.agent.act(effect, payload, { signal }))).toMatchObject({
      code: "effects/unanswered",
      message: expect.stringContaining("nothing within 200 ms"),
    });
  });

  it("that got lost after the effect is made up for by the same key", async () => {
    await using test = await setup();
    const { effect, payload } = test.effect();
    test.target.cut = true;
    expect(errorCode(await failure(test.agent.act(effect, payload, { signal })))).toBe("effects/unanswered");
    test.target.cut = false;
    expect(await test.agent.resolve(effect, { signal })).toEqual({ status: "repeatable" });
    await test.agent.act(effect, payload, { signal });
    expect([...test.target.effects]).toEqual([[effect.key, 1]]);
  });

  it("hides credentials that the target gives back in its location", async () => {
    await using test = await setup();
    test.target.answer = { status: 201, headers: { location: `/o?token=${TOKEN}` } };
    const { effect, payload } = test.effect();
    const receipt = await test.agent.act(effect, payload, { signal });
    expect(receipt.detail?.["location"]).toBe("/o?token=[hidden]");
  });
});

describe("an endpoint that does not honour keys", () => {
  it("is never repeated blindly", async () => {
    await using target = await httpTarget();
    const lookup = `${target.url}/effects/{key}`;
    const { effect, payload } = permitted(
      {
        effect: () => ({ kind: "http", target: `POST ${target.url}/orders` }),
        payload: () => new TextEncoder().encode("x"),
      } as unknown as EffectorBench,
      0,
    );
    const blind = httpCall({ allow: [{ url: `${target.url}/orders` }] });
    const seeing = httpCall({ allow: [{ url: `${target.url}/orders`, lookup }] });
    expect(await blind.resolve(effect, { signal })).toMatchObject({ status: "unknown" });
    expect(await seeing.resolve(effect, { signal })).toMatchObject({ status: "unknown" });
    await blind.act(effect, payload, { signal });
    expect(await seeing.resolve(effect, { signal })).toMatchObject({ status: "done" });
    target.answer = { status: 500 };
    expect(await seeing.resolve(effect, { signal })).toMatchObject({ status: "unknown" });
  });
});

describe("a name", () => {
  const rule = (port: number) => ({ url: `http://shop.example:${port}/orders`, idempotent: true });

  it("that leads inside is refused before a connection, unless the rule says private", async () => {
    await using test = await setup();
    const { port } = test.target;
    const { effect, payload } = test.effect({ target: `POST http://shop.example:${port}/orders` });
    const asked: string[] = [];
    const addressesOf = async (host: string) => {
      asked.push(host);
      return ["127.0.0.1"];
    };
    const strict = httpCall({ allow: [rule(port)], addressesOf });
    expect(await failure(strict.act(effect, payload, { signal }))).toMatchObject({ code: "effects/refused" });
    expect(test.target.requests).toEqual([]);
    const open = httpCall({ allow: [{ ...rule(port), private: true }], addressesOf });
    await open.act(effect, payload, { signal });
    // Once for each act: what was checked is what is called.
    expect(asked).toEqual(["shop.example", "shop.example"]);
    expect(test.target.effects.get(effect.key)).toBe(1);
  });

  it.each([
    ["8.8.8.8", true],
    ["2606:4700::1111", true],
    ["127.0.0.1", false],
    ["10.1.2.3", false],
    ["172.16.0.1", false],
    ["192.168.1.1", false],
    ["169.254.169.254", false],
    ["100.64.0.1", false],
    ["0.0.0.0", false],
    ["224.0.0.1", false],
    ["::1", false],
    ["::", false],
    ["fe80::1", false],
    ["fd00::1", false],
    ["::ffff:127.0.0.1", false],
    ["64:ff9b::7f00:1", false],
    ["2002:7f00:1::", false],
  ])("at %s is public: %s", (address, expected) => {
    expect(isPublicAddress(address)).toBe(expected);
  });
});
