import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { configuration, describeConfig } from "../src/config.ts";
import { ConfigError } from "../src/errors.ts";
import { node } from "../src/node.ts";

const TOKEN = "shop-token-0123456789";

function temporary(): { readonly folder: string } & Disposable {
  const folder = mkdtempSync(join(tmpdir(), "chorus-node-effects-"));
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}

const bare = { PATH: process.env["PATH"], GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" };
const git = (cwd: string, ...args: string[]): string =>
  execFileSync("git", args, { cwd, env: bare, encoding: "utf8" }).trim();

/** An endpoint that notes what it is sent. */
async function shop() {
  const calls: { key: string; authorization: string; body: string }[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { "idempotency-key": key, authorization = "" } = request.headers;
      calls.push({ key: String(key), authorization, body: Buffer.concat(chunks).toString() });
      response.writeHead(201).end("done");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    calls,
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

interface View {
  readonly state: string;
  readonly reason?: { readonly message: string };
  readonly effects?: readonly {
    readonly slot: string;
    readonly state: string;
    readonly receipt?: { readonly reference: string };
  }[];
}

it("lets a task's result out by every way that the configuration allows, once", async ({ skip }) => {
  skip(spawnSync("git", ["--version"]).error !== undefined, "git is not installed");
  using place = temporary();
  await using target = await shop();
  const repository = join(place.folder, "app.git");
  const out = join(place.folder, "out");
  for (const folder of [repository, out]) mkdirSync(folder);
  git(repository, "init", "--quiet", "--bare", "--initial-branch=main", ".");
  const lines: string[] = [];
  const config = configuration({
    CHORUS_DATA_DIR: join(place.folder, "data"),
    CHORUS_MDNS: "false",
    CHORUS_SANDBOX_ENGINE: "embedded",
    CHORUS_LOG_LEVEL: "debug",
    CHORUS_EFFECTS_GIT: JSON.stringify([{ url: pathToFileURL(repository).href }]),
    CHORUS_EFFECTS_HTTP: JSON.stringify([{ url: `${target.url}/*`, idempotent: true, credential: "shop" }]),
    CHORUS_EFFECTS_FILES: out,
    CHORUS_EFFECTS_CREDENTIALS: JSON.stringify({ shop: { kind: "bearer", token: TOKEN } }),
  });
  await using peer = await node(config, { sink: { write: (line) => void lines.push(line) } });
  const headers = { authorization: `Bearer ${peer.token}`, "content-type": "application/json" };
  const patch =
    "diff --git a/hi.txt b/hi.txt\\nnew file mode 100644\\n--- /dev/null\\n+++ b/hi.txt\\n@@ -0,0 +1 @@\\n+hi\\n";
  const submitted = await fetch(`${peer.url}/v1/tasks`, {
    method: "POST",
    headers,
    body: JSON.stringify({
      goal: "let it out",
      commands: [
        { run: `printf '${patch}' > /workspace/output/change.patch` },
        { run: "echo an order > /workspace/output/order.txt" },
        { run: "echo one > /workspace/output/report-one.txt; echo two > /workspace/output/report-two.txt" },
      ],
      effects: [
        {
          slot: "push",
          kind: "git-push",
          target: `${pathToFileURL(repository).href}#refs/heads/main`,
          payload: "output/change.patch",
        },
        { slot: "order", kind: "http", target: `POST ${target.url}/orders`, payload: "output/order.txt" },
        {
          slot: "reports",
          kind: "file-delivery",
          times: 4,
          target: `${pathToFileURL(out).href}/*.txt`,
          payload: "output/report-*.txt",
        },
        {
          slot: "page",
          kind: "ucxl-publish",
          target: "ucxl://default/let-it-out/page",
          payload: "output/order.txt",
        },
      ],
    }),
  });
  const ack = (await submitted.json()) as { taskId: string };
  expect([submitted.status, ack]).toMatchObject([expect.any(Number), { taskId: expect.any(String) }]);
  const events = await fetch(`${peer.url}/v1/tasks/${ack.taskId}/events`, { headers });
  await events.text();
  const view = (await (await fetch(`${peer.url}/v1/tasks/${ack.taskId}`, { headers })).json()) as View;
  expect(view).toMatchObject({ state: "completed" });
  expect(view.effects?.map(({ slot, state }) => `${slot} ${state}`)).toEqual([
    "push done",
    "order done",
    "reports done",
    "reports done",
    "page done",
  ]);
  expect(git(repository, "show", "main:hi.txt")).toBe("hi");
  expect(view.effects?.[0]?.receipt?.reference).toBe(git(repository, "rev-parse", "main"));
  expect(target.calls).toEqual([
    { key: expect.stringMatching(/^[a-z2-7]{52}$/), authorization: `Bearer ${TOKEN}`, body: "an order\n" },
  ]);
  expect(["one", "two"].map((name) => readFileSync(join(out, `${name}.txt`), "utf8"))).toEqual([
    "one\n",
    "two\n",
  ]);
  // What proves us to the shop is in no log line and in no answer.
  expect(lines.join("")).not.toContain(TOKEN);
  expect(JSON.stringify(view)).not.toContain(TOKEN);
});

it("puts a program's own effector before the configured one of its kind", async () => {
  using place = temporary();
  const acted: string[] = [];
  const own = {
    kind: "file-delivery",
    resolve: async () => ({ status: "absent" }) as const,
    async act(effect: { readonly key: string; readonly digest: string }, payload: Uint8Array) {
      expect(createHash("sha256").update(payload).digest("hex")).toBe(effect.digest);
      acted.push(effect.key);
      return { reference: "made" };
    },
  };
  const config = configuration({
    CHORUS_DATA_DIR: join(place.folder, "data"),
    CHORUS_MDNS: "false",
    CHORUS_SANDBOX_ENGINE: "embedded",
    CHORUS_EFFECTS_FILES: place.folder,
  });
  await using peer = await node(config, { effectors: [own], sink: { write: () => undefined } });
  const headers = { authorization: `Bearer ${peer.token}`, "content-type": "application/json" };
  const effect = { slot: "a", kind: "file-delivery", target: "file:///a", payload: "output.log" };
  const body = JSON.stringify({ goal: "g", commands: [{ run: "echo hi" }], effects: [effect] });
  const ack = await (await fetch(`${peer.url}/v1/tasks`, { method: "POST", headers, body })).json();
  const { taskId } = ack as { taskId: string };
  await (await fetch(`${peer.url}/v1/tasks/${taskId}/events`, { headers })).text();
  const view = (await (await fetch(`${peer.url}/v1/tasks/${taskId}`, { headers })).json()) as View;
  expect(view).toMatchObject({ state: "completed", effects: [{ receipt: { reference: "made" } }] });
  expect(acted).toHaveLength(1);
});

describe("settings of effects", () => {
  const problems = (env: Record<string, string>): unknown => {
    try {
      configuration(env);
    } catch (error) {
      return error instanceof ConfigError ? error.detail["problems"] : error;
    }
    return [];
  };

  it("allow nothing outside the mesh by default", () => {
    expect(configuration({})).toMatchObject({
      effectsGit: [],
      effectsHttp: [],
      effectsFiles: [],
      effectsUcxl: true,
      effectsCredentials: {},
    });
  });

  it("name what is wrong and never show a value", () => {
    const found = problems({
      CHORUS_EFFECTS_GIT: '[{"url":"file:///a","branch":"main"}]',
      CHORUS_EFFECTS_HTTP: "not JSON",
      CHORUS_EFFECTS_FILES: "/a,relative",
      CHORUS_EFFECTS_CREDENTIALS: `{"shop":{"kind":"bearer","tokens":"${TOKEN}"}}`,
    });
    expect(found).toEqual([
      { name: "CHORUS_EFFECTS_GIT", problem: "0 is wrong (unrecognized_keys)" },
      { name: "CHORUS_EFFECTS_HTTP", problem: "must be JSON of the documented form" },
      { name: "CHORUS_EFFECTS_FILES", problem: "must be absolute folders, separated by commas" },
      { name: "CHORUS_EFFECTS_CREDENTIALS", problem: expect.stringMatching(/^shop/) },
      { name: "CHORUS_EFFECTS_CREDENTIALS", problem: expect.stringMatching(/^shop/) },
    ]);
    expect(JSON.stringify(found)).not.toContain(TOKEN);
  });

  it("hide credentials where they are listed, and show rules", () => {
    const listed = describeConfig({
      CHORUS_EFFECTS_GIT: '[{"url":"file:///a"}]',
      CHORUS_EFFECTS_CREDENTIALS: `{"shop":{"kind":"bearer","token":"${TOKEN}"}}`,
    });
    expect(listed.find(({ name }) => name === "CHORUS_EFFECTS_GIT")?.value).toBe('[{"url":"file:///a"}]');
    expect(listed.find(({ name }) => name === "CHORUS_EFFECTS_CREDENTIALS")?.value).toBe("(secret)");
  });

  it("that no effector can follow stop the peer at its start, by name", async () => {
    using place = temporary();
    const config = configuration({
      CHORUS_DATA_DIR: join(place.folder, "data"),
      CHORUS_MDNS: "false",
      CHORUS_EFFECTS_HTTP: '[{"url":"https://shop.example/","credential":"missing"}]',
    });
    await expect(node(config, { sink: { write: () => undefined } })).rejects.toThrow(
      "CHORUS_EFFECTS_HTTP: credentials.missing is missing",
    );
  });
});
