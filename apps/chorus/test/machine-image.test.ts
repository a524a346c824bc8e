import { createSandbox, probeEngines } from "@chorus/sandbox";
import { run } from "@chorus/sandbox/testing";
import { describe, expect, it } from "vitest";
import { machineImage } from "../src/machine-image.ts";

const reports = await probeEngines();
const isDockerAbsent =
  !process.env["CI"] && !reports.some(({ engine, available }) => engine === "docker" && available);

describe("an image of this machine", () => {
  it.skipIf(isDockerAbsent)(
    "runs this Node, a shell and the small tools in a sandbox, without any registry",
    async () => {
      const { signal } = new AbortController();
      const image = await machineImage({ host: undefined, signal });
      const options = { engine: "docker", pull: "never" } as const;
      await using sandbox = await createSandbox({ image, language: "typescript" }, options);
      const script = "node --version; mkdir a; echo 1 > a/b; cp -R a c; cat c/b";
      const { stdout, result } = await run(sandbox, ["sh", "-c", script]);
      expect([result.exitCode, stdout]).toEqual([0, `${process.version}\n1\n`]);
      expect(await machineImage({ host: undefined, signal })).toBe(image);
    },
    120_000,
  );

  it.skipIf(process.platform !== "linux")("says so where the engine refuses it", async () => {
    const { signal } = new AbortController();
    await expect(machineImage({ host: "unix:///nonexistent/docker.sock", signal })).rejects.toThrow(/docker/);
  });
});
