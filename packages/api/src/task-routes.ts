import { randomUUID } from "node:crypto";
import type { Env, Hono } from "hono";
import { readCount, readJson, Refusal } from "./body.ts";
import { carryOut, readControl } from "./task-control.ts";
import type { OutputChunk, TaskEvent, Tasks } from "./contract.ts";
import { readDecision } from "./effect-decision.ts";
import { sse, type ServerEvent, type SseOptions } from "./sse.ts";

/** What the task routes need besides the tasks. */
export interface TaskRouteOptions {
  readonly principal: string;
  readonly maxBodyBytes: number;
  live(request: Request): SseOptions;
}

const noSuchTask = new Refusal({ status: 404, code: "not-found", title: "There is no such task here" });

/** `/v1/tasks`: submit, list, look, follow, steer. */
export function taskRoutes<E extends Env>(app: Hono<E>, tasks: Tasks, options: TaskRouteOptions): void {
  app.post("/v1/tasks", async (c) => {
    const idempotencyKey = readIdempotencyKey(c.req.raw.headers);
    const input = await readJson(c.req.raw, options.maxBodyBytes);
    const { signal } = c.req.raw;
    const ack = await tasks.submit(input, { principal: options.principal, idempotencyKey, signal });
    c.header("location", `/v1/tasks/${ack.taskId}`);
    c.header("idempotency-key", idempotencyKey);
    return c.json(ack, ack.status === "committed" ? 201 : 202);
  });
  app.get("/v1/tasks", (c) => {
    const limit = Math.min(readCount(c.req.query("limit"), "limit") ?? 50, 200);
    const { after, state } = c.req.query();
    const items = tasks.list({
      limit,
      ...(after === undefined ? {} : { after }),
      ...(state === undefined ? {} : { state }),
    });
    return c.json({ items });
  });
  app.get("/v1/tasks/:id", (c) => c.json(found(tasks, c.req.param("id"))));
  app.get("/v1/tasks/:id/events", (c) => {
    const id = c.req.param("id");
    found(tasks, id);
    const last = readCount(c.req.header("last-event-id"), "Last-Event-ID");
    const from = last === undefined ? readCount(c.req.query("from"), "from") : last + 1;
    const live = options.live(c.req.raw);
    const { signal } = live.stop;
    return sse(eventFrames(tasks.events(id, { ...(from === undefined ? {} : { from }), signal })), live);
  });
  app.get("/v1/tasks/:id/output", (c) => {
    const id = c.req.param("id");
    found(tasks, id);
    const attempt = readCount(c.req.query("attempt"), "attempt");
    const offset = readCount(c.req.query("offset"), "offset");
    const live = options.live(c.req.raw);
    const place = {
      ...(attempt === undefined ? {} : { attempt }),
      ...(offset === undefined ? {} : { offset }),
    };
    return sse(outputFrames(tasks.output(id, { ...place, signal: live.stop.signal })), live);
  });
  personRoutes(app, tasks, options);
}

/** What people say to a task, and on its effects. */
function personRoutes<E extends Env>(
  app: Hono<E>,
  tasks: Tasks,
  { maxBodyBytes }: Pick<TaskRouteOptions, "maxBodyBytes">,
): void {
  app.post("/v1/tasks/:id/control", async (c) => {
    const id = c.req.param("id");
    found(tasks, id);
    const control = readControl(await readJson(c.req.raw, maxBodyBytes));
    return c.json(await carryOut(tasks, id, { ...control, signal: c.req.raw.signal }));
  });
  app.post("/v1/tasks/:id/effects/:key", async (c) => {
    const { id, key } = c.req.param();
    found(tasks, id);
    const decision = readDecision(await readJson(c.req.raw, maxBodyBytes));
    return c.json(await tasks.decideEffect(id, { key, ...decision, signal: c.req.raw.signal }));
  });
}

function found(tasks: Tasks, id: string): object {
  const task = tasks.get(id);
  if (task === undefined) throw noSuchTask;
  return task;
}

/** A submission without a key gets one of its own: it cannot be repeated by mistake, nor safely retried. */
function readIdempotencyKey(headers: Headers): string {
  const key = headers.get("idempotency-key") ?? randomUUID();
  if (!/^[\x21-\x7e]{1,255}$/.test(key))
    throw new Refusal({
      status: 400,
      code: "invalid-parameter",
      title: "A parameter is not valid",
      detail: "Idempotency-Key must be 1 to 255 printable characters without spaces",
    });
  return key;
}

async function* eventFrames(events: AsyncIterable<TaskEvent>): AsyncGenerator<ServerEvent> {
  for await (const event of events) yield { id: String(event.seq), event: event.type, data: event };
}

async function* outputFrames(chunks: AsyncIterable<OutputChunk>): AsyncGenerator<ServerEvent> {
  for await (const { attempt, offset, stream, bytes } of chunks) {
    // Bytes may be anything and may cut a character in two, so they travel as base64.
    const base64 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
    yield { id: `${attempt}.${offset}`, event: stream, data: { attempt, offset, stream, base64 } };
  }
}
