import { ChorusError } from "@chorus/kernel";
import { manualClock } from "@chorus/kernel/testing";
import { describe, expect, it } from "vitest";
import { api, type Tasks } from "../src/index.ts";

const token = "t".repeat(40);
const host = "localhost:9999";

class Conflict extends ChorusError {
  readonly code = "coordinator/conflict";
}
class NotNow extends ChorusError {
  readonly code = "some/where";
}

/** Tasks in memory with the behaviours that the routes must translate. */
function fakeTasks(): Tasks & { readonly submitted: unknown[]; readonly cancelled: string[] } {
  const submitted: unknown[] = [];
  const cancelled: string[] = [];
  return {
    submitted,
    cancelled,
    async submit(input, { idempotencyKey }) {
      if (idempotencyKey === "conflict") throw new Conflict("used before");
      if (idempotencyKey === "later") throw new NotNow("no admin", { retryable: true });
      if (idempotencyKey === "boom") throw new Error("secret internals");
      submitted.push(input);
      return { taskId: "t1", status: idempotencyKey === "pending" ? "pending" : "committed", replicas: 3 };
    },
    get: (id) => (id === "t1" ? { id: "t1", state: "working" } : undefined),
    list: ({ limit }) => [{ id: "t1" }].slice(0, limit),
    async *events(_id, { from = 1, signal }) {
      for (let seq = from; seq <= 3; seq++) yield { seq, type: `step-${seq}` };
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
    async *output() {
      yield { attempt: 1, offset: 0, stream: "stdout" as const, bytes: Uint8Array.of(0xff, 0x0a) };
    },
    async cancel(id) {
      cancelled.push(id);
      return { taskId: id, canceled: true, state: "canceled" };
    },
    pause: async (id, { reason }) => ({ taskId: id, did: "pause", reason }),
    resume: async (id) => ({ taskId: id, did: "resume" }),
    steer: async (id, { text }) => ({ taskId: id, did: "steer", text }),
    decideEffect: async (id, { key, decision, reason }) => ({ taskId: id, key, decision, reason }),
  };
}

function setup(): {
  call: (path: string, init?: RequestInit) => Promise<Response>;
  tasks: ReturnType<typeof fakeTasks>;
  clock: ReturnType<typeof manualClock>;
} {
  const tasks = fakeTasks();
  const clock = manualClock();
  const server = api(
    {
      peer: {
        info: () => ({ name: "alice" }),
        peers: () => [],
        election: () => ({}),
        health: async () => [{ name: "sandbox", status: "warn", output: "embedded" }],
      },
      tasks,
      inputs: {
        async store(bytes, { mediaType }) {
          let size = 0;
          for await (const chunk of bytes) size += chunk.length;
          return { address: `ucxl://${mediaType}`, size, replicas: 1 };
        },
      },
      mounts: [{ paths: ["/v1/blocks"], fetch: async () => new Response("block") }],
      clock,
    },
    { token, hosts: [host] },
  );
  const call = (path: string, init: RequestInit = {}): Promise<Response> => {
    const headers = new Headers({ authorization: `Bearer ${token}`, host });
    for (const [name, value] of new Headers(init.headers)) headers.set(name, value);
    return server.fetch(
      new Request(`http://${host}${path}`, { ...init, headers, duplex: "half" } as RequestInit),
    );
  };
  return { call, tasks, clock };
}

const post = (body: string, headers: Record<string, string> = {}): RequestInit => ({
  method: "POST",
  body,
  headers: { "content-type": "application/json", ...headers },
});

describe("the guard", () => {
  it.each([
    ["a foreign Host (DNS rebinding)", "/v1/info", { headers: { host: "evil.test" } }, 421],
    ["a Host with another port", "/v1/info", { headers: { host: "localhost:1" } }, 421],
    ["a foreign Origin", "/v1/info", { headers: { origin: "https://evil.test" } }, 403],
    ["a null Origin", "/v1/info", { headers: { origin: "null" } }, 403],
    ["a cross-site fetch", "/v1/info", { headers: { "sec-fetch-site": "cross-site" } }, 403],
    ["no token", "/v1/info", { headers: { authorization: "" } }, 401],
    ["a wrong token", "/v1/info", { headers: { authorization: "Bearer nope" } }, 401],
    ["a form", "/v1/tasks", post("{}", { "content-type": "text/plain" }), 415],
  ])("refuses %s", async (_name, path, init, status) => {
    const { call, tasks } = setup();
    const response = await call(path, init);
    expect(response.status).toBe(status);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(tasks.submitted).toEqual([]);
  });
  it("lets liveness through without a token, but never under a foreign name", async () => {
    const { call } = setup();
    expect((await call("/health/live", { headers: { authorization: "" } })).status).toBe(200);
    expect((await call("/health/live", { headers: { host: "evil.test" } })).status).toBe(421);
  });
  it("refuses to be made without a real token or a host", () => {
    const peer = { info: () => ({}), peers: () => [], election: () => ({}), health: async () => [] };
    expect(() => api({ peer }, { token: "short", hosts: [host] })).toThrow("token");
    expect(() => api({ peer }, { token, hosts: [] })).toThrow("hosts");
  });
});

describe("tasks", () => {
  it("answers 201 for a committed and 202 for a pending submission", async () => {
    const { call, tasks } = setup();
    const committed = await call("/v1/tasks", post('{"goal":"x"}', { "idempotency-key": "k" }));
    expect([committed.status, committed.headers.get("location")]).toEqual([201, "/v1/tasks/t1"]);
    const pending = await call("/v1/tasks", post('{"goal":"x"}', { "idempotency-key": "pending" }));
    expect(pending.status).toBe(202);
    expect(tasks.submitted).toEqual([{ goal: "x" }, { goal: "x" }]);
  });
  it.each([
    ["malformed JSON", post("{"), 400, "malformed-json"],
    ["an oversized body", post(`"${"x".repeat(1_100_000)}"`), 413, "too-large"],
    ["a key with spaces", post("{}", { "idempotency-key": "a b" }), 400, "invalid-parameter"],
    [
      "a key used for another body",
      post("{}", { "idempotency-key": "conflict" }),
      422,
      "idempotency-conflict",
    ],
    ["a mesh without an admin", post("{}", { "idempotency-key": "later" }), 503, "try-again"],
  ])("explains %s", async (_name, init, status, code) => {
    const response = await setup().call("/v1/tasks", init);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ code, status, requestId: expect.any(String) });
  });
  it("never shows what failed inside", async () => {
    const response = await setup().call("/v1/tasks", post("{}", { "idempotency-key": "boom" }));
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain("secret internals");
  });
  it("follows events from where a client stopped", async () => {
    const { call } = setup();
    const response = await call("/v1/tasks/t1/events", { headers: { "last-event-id": "1" } });
    const reader = response.body?.getReader();
    let text = "";
    while (!text.includes("step-3")) text += new TextDecoder().decode((await reader?.read())?.value);
    await reader?.cancel();
    expect(text).toContain("id: 2\nevent: step-2");
    expect(text).not.toContain("step-1");
  });
  it("breaks silence with a comment", async () => {
    const { call, clock } = setup();
    const response = await call("/v1/tasks/t1/events?from=4");
    const reader = response.body?.getReader();
    await reader?.read();
    const next = reader?.read();
    await clock.advance(15_000);
    expect(new TextDecoder().decode((await next)?.value)).toBe(": hb\n\n");
    await reader?.cancel();
  });
  it("carries output bytes unharmed", async () => {
    const text = await (await setup().call("/v1/tasks/t1/output")).text();
    expect(text).toContain('event: stdout\ndata: {"attempt":1,"offset":0,"stream":"stdout","base64":"/wo="}');
  });
  it("cancels with a reason, and refuses unknown controls", async () => {
    const { call, tasks } = setup();
    expect((await call("/v1/tasks/t1/control", post('{"action":"cancel","reason":"no need"}'))).status).toBe(
      200,
    );
    expect(tasks.cancelled).toEqual(["t1"]);
    const refused = await call("/v1/tasks/t1/control", post('{"action":"explode"}'));
    expect(await refused.json()).toMatchObject({ status: 422, errors: [{ pointer: "/action" }] });
  });
  it.each([
    [
      { action: "pause", reason: "lunch" },
      { did: "pause", reason: "lunch" },
    ],
    [{ action: "resume" }, { did: "resume" }],
    [
      { action: "steer", text: "mind the gap" },
      { did: "steer", text: "mind the gap" },
    ],
  ])("hands %j on and answers what it came to", async (body, answer) => {
    const response = await setup().call("/v1/tasks/t1/control", post(JSON.stringify(body)));
    expect([response.status, await response.json()]).toEqual([200, { taskId: "t1", ...answer }]);
  });
  it.each([
    [{ action: "steer" }, "/text"],
    [{ action: "steer", text: "x".repeat(2001) }, "/text"],
    [{ action: "pause", reason: "x".repeat(501) }, "/reason"],
    [{ action: "pause", text: "x" }, "/text"],
  ])("refuses %j naming the field", async (body, pointer) => {
    const response = await setup().call("/v1/tasks/t1/control", post(JSON.stringify(body)));
    expect(await response.json()).toMatchObject({ status: 422, errors: [{ pointer }] });
  });
});

describe("a person's word on an effect", () => {
  it("is handed on with its reason", async () => {
    const body = JSON.stringify({ decision: "repeat", reason: "I looked" });
    const response = await setup().call("/v1/tasks/t1/effects/k1", post(body));
    expect([response.status, await response.json()]).toEqual([
      200,
      { taskId: "t1", key: "k1", decision: "repeat", reason: "I looked" },
    ]);
  });
  it.each([
    [{ decision: "perhaps", reason: "r" }, "/decision"],
    [{ decision: "done" }, "/reason"],
    [{ decision: "done", reason: "" }, "/reason"],
    [{ decision: "done", reason: "r", key: "k2" }, "/key"],
  ])("is refused when it is %j, naming the field", async (body, pointer) => {
    const response = await setup().call("/v1/tasks/t1/effects/k1", post(JSON.stringify(body)));
    expect(await response.json()).toMatchObject({ status: 422, errors: [{ pointer }] });
  });
});

describe("the surface", () => {
  it.each([
    ["/nope", {}, 404, "not-found"],
    ["/v1/tasks/none", {}, 404, "not-found"],
    ["/v1/info", post("{}"), 405, "method-not-allowed"],
    ["/v1/tasks?limit=x", {}, 400, "invalid-parameter"],
  ])("answers %s as a problem", async (path, init, status, code) => {
    const response = await setup().call(path, init);
    expect([response.status, response.headers.get("content-type")]).toEqual([
      status,
      "application/problem+json",
    ]);
    expect(await response.json()).toMatchObject({ code });
  });
  it("streams an upload into its store", async () => {
    const body = new Blob(["x".repeat(3_000_000)]).stream();
    const response = await setup().call("/v1/inputs", {
      method: "POST",
      body,
      headers: { "content-type": "application/x-tar" },
    });
    expect(await response.json()).toEqual({
      address: "ucxl://application/x-tar",
      size: 3_000_000,
      replicas: 1,
    });
  });
  it("says warn for what is second best and stays healthy", async () => {
    const response = await setup().call("/health/ready");
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      status: "warn",
      checks: { sandbox: [{ output: "embedded" }] },
    });
  });
  it("serves a mounted handler behind the same guard", async () => {
    const { call } = setup();
    expect(await (await call("/v1/blocks/bafy")).text()).toBe("block");
    expect((await call("/v1/blocks/bafy", { headers: { authorization: "" } })).status).toBe(401);
  });
});
