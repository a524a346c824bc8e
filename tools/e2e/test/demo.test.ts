import { describe, expect, it } from "vitest";
import { withDocker, withoutDocker } from "./fixtures/engines.ts";
import { run } from "./fixtures/process.ts";

const steps = [
  "sandbox",
  "model",
  "p2p",
  "election",
  "api",
  "coordinator",
  "shhh",
  "engine",
  "ucxl",
  "dht-storage",
  "ucxi",
];

describe("npm start", () => {
  it.each([
    ["without Docker", async () => withoutDocker, /embedded \(simulated shell\)/],
    ["with Docker", withDocker, /docker .*no network/],
  ])(
    "tells one task's whole life %s",
    async (_name, env, sandbox) => {
      await using demo = run("chorus", ["demo"], await env());
      expect([await demo.end(120_000), demo.text]).toEqual([0, expect.stringMatching(sandbox)]);
      for (const step of steps) expect(demo.text).toMatch(new RegExp(`^  ${step} +\\S`, "m"));
      expect(demo.text).toMatch(/1 failed|failures=1|6 passed/);
      expect(demo.text).toMatch(/[1-9]\d* secrets redacted/);
      expect(demo.text).toMatch(/hash ✓ signature ✓ evidence ✓/);
      expect(demo.text).toMatch(/^done\./m);
    },
    180_000,
  );

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
