import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { isDockerAbsent, withDocker, withoutDocker } from "./fixtures/engines.ts";
import { childByEnv, exists, run } from "./fixtures/process.ts";

const steps = ["sandbox", "model", "p2p", "election", "api", "coordinator", "shhh", "engine", "ucxl"];
const lastSteps = ["dht-storage", "ucxi"];

async function tellsAll(env: Readonly<Record<string, string>>, sandbox: RegExp): Promise<void> {
  await using demo = run("chorus", ["demo"], env);
  expect([await demo.end(120_000), demo.text]).toEqual([0, expect.stringMatching(sandbox)]);
  for (const step of [...steps, ...lastSteps]) expect(demo.text).toMatch(new RegExp(`^  ${step} +\\S`, "m"));
  expect(demo.text).toMatch(/6 passed, 1 failed[\s\S]*7 passed, 0 failed/);
  expect(demo.text).toMatch(/[1-9]\d* secrets? redacted/);
  expect(demo.text).toMatch(/hash ✓ signature ✓ evidence ✓/);
  expect(demo.text).toMatch(/^done\./m);
}

describe("npm start", () => {
  it("tells one task's whole life without Docker", async () => {
    await tellsAll(withoutDocker, /embedded \(simulated shell\)/);
  }, 180_000);

  it.skipIf(isDockerAbsent)(
    "tells one task's whole life with Docker",
    async () => {
      await tellsAll(await withDocker(), /docker .*no network/);
    },
    180_000,
  );

  it("ends in order on Ctrl-C, also when it arrives twice, and leaves nothing behind", async () => {
    const temporary = mkdtempSync(join(tmpdir(), "chorus-ctrl-c-"));
    await using demo = run("chorus", ["demo", "--keep"], { ...withoutDocker, TMPDIR: temporary });
    await demo.line(/The agents stay up/);
    const pids = ["alice", "bob", "carol"].map((name) => childByEnv(demo.pid, "CHORUS_NAME", name));
    process.kill(demo.pid, "SIGINT");
    process.kill(demo.pid, "SIGINT");
    expect(await demo.end(30_000)).toBe(0);
    expect(demo.text).not.toMatch(/is gone/);
    expect(pids.filter(exists)).toEqual([]);
    expect(readdirSync(temporary)).toEqual([]);
    rmSync(temporary, { recursive: true });
  }, 120_000);

  it("runs the user's own command on the user's own project, and fails when it fails", async () => {
    const source = import.meta.dirname;
    await using works = run("chorus", ["demo", "--source", source, "--run", "ls && echo own"], withoutDocker);
    expect([await works.end(120_000), works.text]).toEqual([0, expect.stringContaining("done.")]);
    await using fails = run(
      "chorus",
      ["demo", "--source", source, "--run", "echo broken; exit 3"],
      withoutDocker,
    );
    expect(await fails.end(120_000)).toBe(1);
    expect(fails.text).toMatch(/The task failed/);
    expect(fails.text).toMatch(/\| broken/);
  }, 240_000);
});
