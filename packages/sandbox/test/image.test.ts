import { Readable } from "node:stream";
import Docker from "dockerode";
import { describe, expect, test, vi } from "vitest";
import { ensureImage } from "./fixtures/image.ts";
import { createSandbox, detectLanguage, selectImage } from "../src/index.ts";
import { run, tarOf } from "../src/testing/index.ts";
import { dockerSandbox, withoutDocker } from "./fixtures/docker.ts";

// Containers and interpreters start slowly on a busy machine; nothing here depends on being quick.
vi.setConfig({ testTimeout: 120_000 });

describe("languages and images", () => {
  test("a manifest outweighs any number of files", () => {
    const files = ["pyproject.toml", ...Array.from({ length: 50 }, (_, i) => `web/${i}.js`), "src/a.py"];
    const [first, second] = detectLanguage(files);
    expect(first).toMatchObject({ language: "python", reasons: ["pyproject.toml", "1 file *.py"] });
    expect(second).toMatchObject({ language: "javascript" });
  });

  test("what others wrote or a build made does not count", () => {
    expect(
      detectLanguage(["node_modules/x/package.json", "dist/a.js", "vendor/go.mod", ".git/x.py"]),
    ).toEqual([]);
    expect(detectLanguage([])).toEqual([]);
  });

  test.each([
    [["Cargo.toml", "src/main.rs"], "rust"],
    [["go.mod", "main.go"], "go"],
    [["pom.xml", "src/main/java/A.java"], "java"],
    [["build.gradle.kts"], "java"],
    [["Makefile", "main.c", "lib.h"], "c"],
    [["package.json", "tsconfig.json", "src/a.ts"], "typescript"],
    [["package.json", "index.js"], "javascript"],
    [["install.sh"], "shell"],
    [["./setup.py"], "python"],
  ])("%j speaks for %s", (files, language) => {
    expect(detectLanguage(files)[0]?.language).toBe(language);
  });

  test("the task's image wins, then the policy's, then the official one", () => {
    const guesses = [{ language: "python" }, { language: "go" }];
    expect(selectImage(guesses, { image: "mine:1" }).image).toBe("mine:1");
    expect(selectImage(guesses, { images: { python: "own/python:3" } })).toMatchObject({
      image: "own/python:3",
      language: "python",
    });
    expect(selectImage(guesses).image).toMatch(/^python:3/);
    expect(selectImage([{ language: "cobol" }]).language).toBe("shell");
  });

  test("the allow-list covers names and beginnings", () => {
    const allow = ["python:3.13-slim-bookworm", "registry.example/*"];
    expect(selectImage([{ language: "python" }], { allow }).image).toBe(allow[0]);
    expect(selectImage([], { allow, image: "registry.example/a/b:1" }).image).toBe("registry.example/a/b:1");
    expect(() => selectImage([], { allow, image: "evil:1" })).toThrow(
      expect.objectContaining({ code: "sandbox/image-refused" }),
    );
  });

  test("wrong wishes name their field", async () => {
    for (const [spec, field] of [
      [{ language: "cobol" }, "language"],
      [{ memoryBytes: -1 }, "memoryBytes"],
      [{ cpus: 0 }, "cpus"],
      [{ files: 1.5 }, "files"],
      [{ env: { "A=B": "" } }, "env"],
    ] as const)
      await expect(createSandbox(spec, { engine: "embedded" })).rejects.toMatchObject({
        code: "kernel/invalid-input",
        detail: { path: field },
      });
  });

  test("the embedded engine refuses languages and levels that it cannot give", async () => {
    await expect(createSandbox({ language: "rust" }, { engine: "embedded" })).rejects.toMatchObject({
      code: "sandbox/unsupported-by-engine",
    });
    await expect(createSandbox({ isolation: "container" }, { engine: "embedded" })).rejects.toMatchObject({
      code: "sandbox/no-engine",
    });
  });

  test("without Docker the choice falls to the embedded engine, unless a container is needed", async () => {
    const docker = { socketPath: "/nonexistent/docker.sock" };
    await using sandbox = await createSandbox({ language: "python" }, { docker });
    expect(sandbox.isolation.engine).toBe("embedded");
    await expect(createSandbox({ isolation: "container" }, { docker })).rejects.toMatchObject({
      code: "sandbox/no-engine",
      retryable: true,
    });
    await expect(createSandbox({}, { engine: "docker", docker })).rejects.toMatchObject({
      code: "sandbox/no-engine",
    });
    await expect(createSandbox({}, { docker: { host: "ssh://x" } })).rejects.toMatchObject({
      code: "kernel/invalid-input",
    });
  });
});

describe.skipIf(withoutDocker !== undefined)(`images in Docker (${withoutDocker ?? "docker"})`, () => {
  const docker = new Docker({ socketPath: "/var/run/docker.sock" });

  /** An image like the test image with one trait added. */
  async function variant(
    tag: string,
    changes: readonly string[],
  ): Promise<AsyncDisposable & { name: string }> {
    const base = await docker.createContainer({
      Image: await ensureImage("python"),
      Cmd: ["true"],
      HostConfig: { NetworkMode: "none" },
    });
    await base.commit({ repo: "chorus/test-variant", tag, changes: changes.join("\n") });
    await base.remove();
    const name = `chorus/test-variant:${tag}`;
    return {
      name,
      [Symbol.asyncDispose]: async () => void (await docker.getImage(name).remove({ force: true })),
    };
  }

  test("an image that is not here is named, with the command that gets it", async () => {
    const image = "chorus.invalid/none:1";
    for (const pull of ["never", "missing"] as const)
      await expect(createSandbox({ image }, { engine: "docker", pull })).rejects.toMatchObject({
        code: "sandbox/image-unavailable",
        detail: { image, command: `docker pull ${image}` },
      });
  });

  test("images with VOLUME or ONBUILD are refused", async () => {
    for (const [tag, change] of [
      ["volume", "VOLUME /elsewhere"],
      ["onbuild", "ONBUILD RUN true"],
    ] as const) {
      await using image = await variant(tag, [change]);
      await expect(dockerSandbox({ image: image.name })).rejects.toMatchObject({
        code: "sandbox/image-refused",
      });
    }
  });

  test("what an image wants to run or set is of no effect", async () => {
    await using image = await variant("hostile", [
      'ENTRYPOINT ["/bin/false"]',
      "HEALTHCHECK CMD /bin/false",
      "ENV LD_PRELOAD=/evil.so",
      "ENV PYTHONSTARTUP=/evil.py",
      "ENV PATH=.:/usr/bin:/bin",
      "USER 0",
    ]);
    await using sandbox = await dockerSandbox({ image: image.name });
    const script = "import os; print(os.getuid() > 0, sorted(os.environ), os.environ['PATH'])";
    const { stdout } = await run(sandbox, ["python3", "-c", script]);
    expect(stdout).toBe("True ['HOME', 'HOSTNAME', 'LANG', 'PATH', 'TMPDIR'] /usr/bin:/bin\n");
    const { State } = await docker.getContainer(sandbox.id).inspect();
    expect(State.Health).toBeUndefined();
  });

  test("an image without a shell's tools does not start, and leaves nothing", async () => {
    const tag = { repo: "chorus/test-variant", tag: "empty" };
    const loading = await docker.importImage(Readable.from([await tarOf({ file: "x" })]), tag);
    await new Promise((resolve) => docker.modem.followProgress(loading, resolve));
    const image = `${tag.repo}:${tag.tag}`;
    try {
      await expect(dockerSandbox({ image })).rejects.toMatchObject({ code: "sandbox/start-failed" });
      expect(await docker.listContainers({ all: true, filters: { ancestor: [image] } })).toEqual([]);
    } finally {
      await docker.getImage(image).remove({ force: true });
    }
  });

  test("Node runs in its own image", async () => {
    await using sandbox = await dockerSandbox({ image: await ensureImage("node"), memoryBytes: 536_870_912 });
    const script =
      "const { Worker } = require('node:worker_threads'); new Worker('1', { eval: true }); console.log(6 * 7, require('node:child_process').execSync('echo sub').toString().trim())";
    const { stdout, stderr } = await run(sandbox, ["node", "-e", script]);
    expect([stdout, stderr]).toEqual(["42 sub\n", ""]);
  });
});

describe("an image that was prepared on this machine", () => {
  const only = { engine: "docker", pull: "never" } as const;

  test("stands in for an official one that is not there", async (context) => {
    if (withoutDocker) context.skip(withoutDocker);
    const image = await ensureImage("python");
    await using sandbox = await createSandbox({ language: "python" }, only);
    expect(sandbox.image).toMatch(new RegExp(`^${image}@sha256:`));
    const { result } = await run(sandbox, ["python3", "-c", "import unittest"]);
    expect(result).toMatchObject({ outcome: "exited", exitCode: 0 });
  });

  test.each([
    ["somebody asked for another one", { images: { python: "nowhere/python:1" } }],
    ["only some are allowed", { allow: ["python:*"] }],
  ])("does not stand in where %s", async (_name, policy) => {
    if (withoutDocker) return;
    await ensureImage("python");
    await expect(createSandbox({ language: "python" }, { ...only, ...policy })).rejects.toMatchObject({
      code: "sandbox/image-unavailable",
    });
  });
});
