import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import Docker from "dockerode";
import { describe, expect, test, vi } from "vitest";
import { silentLogger } from "@chorus/kernel";
import { LABEL, labelsOf } from "../src/docker/labels.ts";
import { sweep } from "../src/docker/sweep.ts";
import { run, shell } from "../src/testing/index.ts";
import { ensureImage } from "./fixtures/image.ts";
import { dockerSandbox, withoutDocker } from "./fixtures/docker.ts";

// Containers and interpreters start slowly on a busy machine; nothing here depends on being quick.
vi.setConfig({ testTimeout: 120_000 });

const docker = new Docker({ socketPath: "/var/run/docker.sock" });

/** Names of the volumes of one container. */
async function volumesOf(container: string): Promise<string[]> {
  const { Mounts } = await docker.getContainer(container).inspect();
  return Mounts.map(({ Name }) => Name ?? "").filter((name) => name !== "");
}

async function existing(volumes: readonly string[]): Promise<string[]> {
  const { Volumes } = await docker.listVolumes();
  return Volumes.map(({ Name }) => Name).filter((name) => volumes.includes(name));
}

describe.skipIf(withoutDocker !== undefined)(`agents that die (${withoutDocker ?? "docker"})`, () => {
  test("kill -9 of the agent takes container, processes and volumes with it", async () => {
    const image = await ensureImage("python");
    const agent = spawn(
      process.execPath,
      ["--conditions=@chorus/source", join(import.meta.dirname, "fixtures/agent.ts"), image],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    const [name] = await once(createInterface(agent.stdout), "line");
    const container = docker.getContainer(String(name));
    const volumes = await volumesOf(String(name));
    expect(volumes).toHaveLength(3);
    expect(await existing(volumes)).toHaveLength(3);
    const gone = container.wait({ condition: "removed" });
    const from = performance.now();
    agent.kill("SIGKILL");
    await gone;
    expect(performance.now() - from).toBeLessThan(10_000);
    await expect(container.inspect()).rejects.toMatchObject({ statusCode: 404 });
    expect(await existing(volumes)).toEqual([]);
  });

  test("disposal during a command ends it and leaves nothing", async () => {
    const sandbox = await dockerSandbox();
    const volumes = await volumesOf(sandbox.id);
    const execution = sandbox.exec(["sh", "-c", "echo on; while :; do :; done"]);
    for await (const _ of execution) await sandbox[Symbol.asyncDispose]();
    expect((await execution.result).outcome).toBe("sandbox-lost");
    await expect(docker.getContainer(sandbox.id).inspect()).rejects.toMatchObject({ statusCode: 404 });
    expect(await existing(volumes)).toEqual([]);
  });

  test("a container that is killed from outside is told as lost", async () => {
    await using sandbox = await dockerSandbox();
    const execution = sandbox.exec(["sh", "-c", "echo on; while :; do :; done"]);
    for await (const _ of execution) await docker.getContainer(sandbox.id).kill();
    expect((await execution.result).outcome).toBe("sandbox-lost");
    expect((await run(sandbox, ["pwd"])).result.outcome).toBe("sandbox-lost");
  });

  test("the sweep removes what a dead agent left, and nothing of a living one", async () => {
    await using alive = await dockerSandbox();
    const image = await ensureImage("python");
    const owner = (labelsOf("x")["chorus.sandbox.owner"] ?? "").split("/");
    const make = (ownedBy: string) =>
      docker.createContainer({
        Image: image,
        Cmd: ["true"],
        Labels: { [LABEL]: "left", "chorus.sandbox.owner": ownedBy },
        HostConfig: { NetworkMode: "none" },
      });
    const left = await make([owner[0], owner[1], owner[2], "1"].join("/"));
    const foreign = await make(["elsewhere", owner[1], "1", "1"].join("/"));
    try {
      expect((await sweep(docker, silentLogger)).containers).toBeGreaterThanOrEqual(1);
      await expect(left.inspect()).rejects.toMatchObject({ statusCode: 404 });
      expect((await foreign.inspect()).Id).toBe(foreign.id);
      expect((await shell(alive, "echo alive")).stdout).toBe("alive\n");
    } finally {
      await foreign.remove({ force: true });
    }
  });
});
