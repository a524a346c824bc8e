// The HTTP target of the harness as a process of its own: keeps its promise of one effect for one Idempotency-Key, and
// writes down all that it sees. Arguments: the file to write to. Tells its port to its parent; ends with its input.
import { openSync, writeSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Effect } from "../../../check-history/record.ts";
import { moment } from "../../mesh/history.ts";

/** The longest that the target takes before and after it does something: room for a caller's death. */
const SLOW_MS = 30;

const file = openSync(process.argv[2] ?? "", "a");
const done = new Map<string, string>();
process.stdin.on("end", () => process.exit(1)).resume();

const server = createServer((request, response) => {
  const path = new URL(request.url ?? "/", "http://target").pathname;
  const [, what = "", name = ""] = path.split("/");
  const key = request.headers["idempotency-key"];
  request.resume();
  if (request.method === "GET" && what === "effects") answer(response, done.has(name) ? 200 : 404, name);
  else if (request.method === "POST" && what === "deliver" && typeof key === "string")
    void deliver(name, key, response);
  else answer(response, 400, "no such target");
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (typeof address === "object") process.send?.({ port: address?.port });
});

/** Done when it is written down, and never again; whether the caller still listens makes no difference. */
async function deliver(subject: string, key: string, response: ServerResponse): Promise<void> {
  await sleep(Math.random() * SLOW_MS);
  const isKnown = done.has(key);
  const effect: Effect = {
    kind: "effect",
    at: moment(),
    target: "http",
    subject,
    key,
    action: isKnown ? "repeated" : "made",
  };
  done.set(key, subject);
  writeSync(file, `${JSON.stringify(effect)}\n`);
  await sleep(Math.random() * SLOW_MS);
  answer(response, 200, `done ${key}`);
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "content-type": "text/plain" }).end(text);
}
