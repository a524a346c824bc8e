import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { afterEach, expect, it } from "vitest";

const made: string[] = [];
afterEach(() => {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A repository with the real bootstrap and a task of its own; pnpm and npm only write down what they are asked. */
function setup(
  options: { readonly task?: string; readonly online?: boolean; readonly installs?: boolean } = {},
) {
  const { task = "process.exit(0);", online = true, installs = true } = options;
  const root = mkdtempSync(join(tmpdir(), "up-"));
  made.push(root);
  const script = (name: string, lines: readonly string[]) => {
    const file = join(root, "fake", name);
    writeFileSync(file, ["#!/bin/sh", ...lines, ""].join("\n"));
    chmodSync(file, 0o755);
  };
  for (const folder of ["tools", "fake"]) mkdirSync(join(root, folder));
  cpSync(join(import.meta.dirname, "../../up.mjs"), join(root, "tools/up.mjs"));
  writeFileSync(join(root, "package.json"), '{ "type": "module", "packageManager": "pnpm@12.0.0" }');
  writeFileSync(join(root, "pnpm-lock.yaml"), "first");
  writeFileSync(join(root, "tools/verify.ts"), task);
  script("npm", [online ? "exit 0" : "exit 1"]);
  script("pnpm", [
    'if [ "$1" = --version ]; then echo 12.1.0; exit 0; fi',
    `echo "$@" >> ${root}/asked`,
    installs ? `mkdir -p ${root}/node_modules/.bin` : "exit 1",
  ]);
  const env = { ...process.env, PATH: `${join(root, "fake")}:/usr/bin:/bin` };
  const run = (...args: readonly string[]) =>
    spawnSync(process.execPath, ["tools/up.mjs", ...args], { cwd: root, env, encoding: "utf8" });
  const asked = () =>
    existsSync(join(root, "asked")) ? readFileSync(join(root, "asked"), "utf8").trim().split("\n") : [];
  return { root, env, run, asked };
}

it("installs once, then says nothing of its own", () => {
  const { run, asked } = setup({ task: "console.log(process.argv.slice(2).join());" });
  expect(run("verify", "--only", "lint")).toMatchObject({ status: 0, stdout: "--only,lint\n" });
  expect(run("verify")).toMatchObject({ status: 0, stdout: "\n", stderr: "" });
  expect(asked()).toEqual([expect.stringContaining("install --frozen-lockfile --prefer-offline")]);
});

it("installs again when the lockfile has changed", () => {
  const { root, run, asked } = setup();
  run("verify");
  writeFileSync(join(root, "pnpm-lock.yaml"), "second");
  run("verify");
  expect(asked()).toHaveLength(2);
});

it("does not take a failed installation for done", () => {
  const { run, asked } = setup({ installs: false });
  expect(run("verify")).toMatchObject({ status: 1, stderr: expect.stringContaining("failed: see above") });
  run("verify");
  expect(asked()).toHaveLength(2);
});

it("installs from the cache without a network, and says what is missing when that fails", () => {
  const { run, asked } = setup({ online: false, installs: false });
  expect(run("verify")).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("The npm registry does not answer and the local cache is incomplete"),
  });
  expect(asked()).toEqual([expect.stringContaining("--offline")]);
});

it("ends with the task's exit code", () => {
  expect(setup({ task: "process.exit(3);" }).run("verify").status).toBe(3);
  expect(setup({ task: 'process.kill(process.pid, "SIGKILL");' }).run("verify").status).toBe(128 + 9);
});

it("names the tasks it knows", () => {
  expect(setup().run("fly")).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("known: start, test, verify"),
  });
});

const waiting =
  'process.on("SIGTERM", () => { console.log("bye"); process.exit(7); });\nsetInterval(() => {}, 1000);\nconsole.log("ready");\n';

it("passes a signal on and waits for the task's own end", async () => {
  const { root, env } = setup({ task: waiting });
  const child = spawn(process.execPath, ["tools/up.mjs", "verify"], { cwd: root, env });
  await once(child.stdout, "data");
  child.kill("SIGTERM");
  const rest = once(child.stdout, "data");
  expect(await once(child, "close")).toEqual([7, null]);
  expect(String(await rest)).toBe("bye\n");
});

it("ends the task when its own parent dies without a word, as npm's shell does", async () => {
  const { root, env } = setup({ task: waiting });
  const shell = spawn("sh", ["-c", `${process.execPath} tools/up.mjs verify; true`], { cwd: root, env });
  await once(shell.stdout, "data");
  const rest = once(shell.stdout, "data");
  shell.kill("SIGKILL");
  expect(String(await rest)).toBe("bye\n");
  // The pipe closes when the last process that holds it has ended.
  await once(shell.stdout, "close");
});

const system = spawnSync("/usr/bin/node", ["--version"], { encoding: "utf8" }).stdout ?? "";

it.skipIf(!/^v(18|20|22)\./.test(system))("asks for a newer Node where none came with the packages", () => {
  const { root, env } = setup();
  const old = spawnSync("/usr/bin/node", ["tools/up.mjs", "verify"], { cwd: root, env, encoding: "utf8" });
  expect(old).toMatchObject({ status: 1, stderr: expect.stringContaining(`this is ${system.trim()}`) });
});
