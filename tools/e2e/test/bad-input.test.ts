import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LocalPeer } from "../../../apps/chorus/src/local-mesh.ts";
import { withoutDocker } from "./fixtures/engines.ts";
import { allEvents, testMesh, type TestMesh } from "./fixtures/mesh.ts";
import { run } from "./fixtures/process.ts";

const directory = mkdtempSync(join(tmpdir(), "chorus-bad-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const home = (name: string): string => join(directory, name);

describe("an agent that cannot start says why", () => {
  it.each([
    ["an unknown variable", { CHORUS_HTP_PORT: "1" }, 78, /did you mean CHORUS_HTTP_PORT/],
    [
      "several wrong variables",
      { CHORUS_MDNS: "yes", CHORUS_CAPACITY: "x" },
      78,
      /CHORUS_MDNS[\s\S]*CHORUS_CAPACITY/,
    ],
    [
      "a data directory that cannot be made",
      { CHORUS_DATA_DIR: "/dev/null/data" },
      1,
      /data directory .* cannot be used/,
    ],
    [
      "a data directory where nothing can ever be made",
      { CHORUS_DATA_DIR: "/proc/chorus/data" },
      1,
      /data directory .* cannot be used/,
    ],
    [
      "a bootstrap that is no address",
      { CHORUS_BOOTSTRAP: "nonsense" },
      78,
      /CHORUS_BOOTSTRAP: must be multiaddrs/,
    ],
  ])("%s", async (_name, env, code, message) => {
    await using agent = run("agent", [], {
      CHORUS_DATA_DIR: home("x"),
      CHORUS_MDNS: "false",
      ...env,
    });
    expect(await agent.end()).toBe(code);
    expect(agent.text).toMatch(message);
  });

  it("a port that is taken", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" && address ? address.port : 0;
    const env = { CHORUS_DATA_DIR: home("taken"), CHORUS_MDNS: "false" };
    await using http = run("agent", [], { ...env, CHORUS_HTTP_PORT: String(port) });
    expect(await http.end()).toBe(1);
    expect(http.text).toMatch(new RegExp(`127.0.0.1:${port}.*taken`));
    await using mesh = run("agent", [], { ...env, CHORUS_LISTEN: `/ip4/127.0.0.1/tcp/${port}` });
    expect(await mesh.end()).toBe(1);
    expect(mesh.text).toMatch(new RegExp(`${port} is in use`));
    server.close();
  });

  it("a wrong argument, and answers --help and --check-config", async () => {
    await using wrong = run("agent", ["--nonsense"]);
    expect(await wrong.end()).toBe(2);
    await using help = run("agent", ["--help"]);
    expect(await help.end()).toBe(0);
    expect(help.text).toContain("CHORUS_CLUSTER_SECRET");
    await using check = run("agent", ["--check-config"], { CHORUS_NAME: "x" });
    expect(await check.end()).toBe(0);
  });
});

describe("the demo refuses what it cannot do", () => {
  it.each([
    ["a folder that is missing", ["--source", "/nowhere"], /there is no folder/],
    ["an unknown option", ["--sorce", "."], /--sorce/],
    ["a command without a project", ["--run", "true"], /--source/],
  ])("%s", async (_name, args, message) => {
    await using demo = run("chorus", ["demo", ...args], withoutDocker);
    expect(await demo.end()).toBe(2);
    expect(demo.text).toMatch(message);
  });
  it("a folder of 10 GB, at once", async () => {
    const big = mkdtempSync(join(directory, "big-"));
    writeFileSync(join(big, "data"), "");
    truncateSync(join(big, "data"), 10 * 2 ** 30);
    await using demo = run("chorus", ["demo", "--source", big], withoutDocker);
    expect(await demo.end(20_000)).toBe(2);
    expect(demo.text).toMatch(/holds more than 200 MB/);
  });
  it("a variable that it would not pass on", async () => {
    await using demo = run("chorus", ["demo"], { CHORUS_CAPACITY: "9" });
    expect(await demo.end()).toBe(2);
    expect(demo.text).toMatch(/CHORUS_CAPACITY cannot be set/);
  });
});

describe("tasks that are wrong, endless or loud", () => {
  let mesh: TestMesh;
  let alice: LocalPeer;
  beforeAll(async () => {
    mesh = await testMesh({ env: { CHORUS_SANDBOX_ENGINE: "embedded", CHORUS_INPUT_BYTES: "1000000" } });
    alice = mesh.peer("alice");
  }, 120_000);
  afterAll(() => mesh[Symbol.asyncDispose]());

  const finish = async (task: object) => {
    const { taskId } = await alice.client.post<{ taskId: string }>("/v1/tasks", { goal: "x", ...task });
    return (await allEvents(alice, taskId)).at(-1);
  };

  it.each([
    ["no goal", {}, /goal/],
    ["an unknown field", { goal: "x", colour: "red" }, /colour/],
    ["a goal that is too long", { goal: "x".repeat(5000) }, /goal/],
    [
      "an input that is no address",
      { goal: "x", inputs: [{ name: "source", address: "http://x", mediaType: "application/x-tar" }] },
      /inputs/,
    ],
  ])("refuses %s and names the field", async (_name, task, field) => {
    await expect(alice.client.post("/v1/tasks", task)).rejects.toMatchObject({
      status: 422,
      message: expect.stringMatching(field) as string,
    });
  });
  it("refuses an input over the limit", async () => {
    const tar = new Uint8Array(1_500_000).fill(120);
    await expect(alice.client.post("/v1/inputs", tar)).rejects.toMatchObject({ status: 413 });
  });
  it("refuses an input that holds a secret", async () => {
    const tar = Buffer.from(`x = "${["AKIA", "Q3EGZ7K4XWNVB2TD"].join("")}"\n`);
    await expect(alice.client.post("/v1/inputs", tar)).rejects.toMatchObject({
      status: 422,
      message: expect.stringMatching(/secret/) as string,
    });
  });
  it("fails a task whose input is no archive", async () => {
    const { address } = await alice.client.post<{ address: string }>("/v1/inputs", Buffer.from("not a tar"));
    const input = { name: "source", address, mediaType: "application/x-tar" };
    const last = await finish({ inputs: [input], commands: [{ run: "true" }] });
    expect(last?.result?.outcome).toBe("failed");
    expect(last?.result?.reason).toMatch(/source|archive/);
  }, 60_000);
  it("ends a command that never ends", async () => {
    const last = await finish({ commands: [{ run: "while true; do :; done", timeoutMs: 1000 }] });
    expect(last?.result?.outcome).toBe("failed");
    expect(last?.result?.reason).toMatch(/time/);
  }, 60_000);
  it("cuts off endless output", async () => {
    const last = await finish({
      commands: [{ run: `while true; do echo ${"x".repeat(4000)}; done` }],
    });
    expect(last?.result?.outcome).toBe("failed");
    expect(last?.result?.reason).toMatch(/output|memory/);
  }, 60_000);
  it("fails what the engine cannot do, and says so", async () => {
    const last = await finish({ commands: [{ run: "git status" }] });
    expect(last?.result?.outcome).toBe("failed");
    expect(last?.result?.reason).toMatch(/git|unsupported/);
  }, 60_000);
  it("says what to do about a goal without commands and without a project", async () => {
    const last = await finish({ goal: "make it nice" });
    expect(last?.result?.outcome).toBe("failed");
    expect(last?.result?.reason).toMatch(/command/);
  }, 60_000);
  it("still does its work after all of this", async () => {
    expect(await finish({ commands: [{ run: "echo fine" }] })).toMatchObject({
      result: { outcome: "succeeded" },
    });
  }, 60_000);
});
