import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errorCode } from "@chorus/kernel";
import { beforeEach, describe, expect, it } from "vitest";
import type { Effect, GitPushOptions } from "../src/contract.ts";
import { gitPush } from "../src/git-push.ts";
import { cleaned, type EffectorBench, permitted } from "../src/testing/index.ts";
import { git, gitMissing, gitServer, patch, repository, temporary } from "./fixtures/git-server.ts";

const signal = new AbortController().signal;
const PASSWORD = "word-0123456789";
const AUTHORIZATION = `Basic ${Buffer.from(`agent:${PASSWORD}`).toString("base64")}`;

async function setup(options: { empty?: boolean } & Partial<GitPushOptions> = {}) {
  const stack = new AsyncDisposableStack();
  const { folder } = stack.use(temporary());
  const { empty = false, ...settings } = options;
  const served = repository(folder, { empty });
  const server = stack.use(await gitServer(folder));
  const url = `${server.url}/app.git`;
  const credentials = { forge: { kind: "basic", user: "agent", password: PASSWORD } } as const;
  let agents = 0;
  return {
    folder,
    served,
    server,
    url,
    agent: (more: Partial<GitPushOptions> = {}) =>
      gitPush({
        directory: join(folder, `agent-${++agents}`),
        allow: [{ url: served.fileUrl }, { url, credential: "forge" }],
        credentials,
        ...settings,
        ...more,
      }),
    effect(change: Partial<Effect> = {}, bytes: Uint8Array = patch("made.txt")) {
      const bench = {
        effect: () => ({ kind: "git-push", target: `${served.fileUrl}#refs/heads/main`, ...change }),
        payload: () => bytes,
      };
      return permitted(bench as unknown as EffectorBench, 0);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const failure = (run: Promise<unknown>): Promise<unknown> =>
  run.then(
    () => undefined,
    (error: unknown) => error,
  );

beforeEach(({ skip }) => skip(gitMissing, "git is not installed"));

describe("the commit", () => {
  it("carries the effect, the task and the message, and changes nothing but what the payload says", async () => {
    await using test = await setup();
    const { effect, payload } = test.effect({ options: { message: "Make it" } });
    const { reference, detail } = await test.agent().act(effect, payload, { signal });
    expect(test.served.log()).toEqual(["Make it", "Add README.md"]);
    expect(git(test.served.folder, ["show", "-s", "--format=%B%n%an <%ae>", reference])).toBe(
      `Make it\n\nChorus-Task: ${effect.taskId}\nChorus-Effect: ${effect.key}\n\nCHORUS <chorus@localhost>`,
    );
    expect(git(test.served.folder, ["show", "--name-only", "--format=", reference])).toBe("made.txt");
    expect(detail).toEqual({ ref: "refs/heads/main" });
  });

  it("is the same at every agent, by no agent's clock", async () => {
    const ids = [];
    for (let agent = 0; agent < 2; agent++) {
      await using test = await setup({ empty: true });
      const { effect, payload } = test.effect();
      ids.push((await test.agent().act(effect, payload, { signal })).reference);
    }
    expect(ids[0]).toBe(ids[1]);
  });

  it("starts a new branch from the branch that the task names, and asks for one otherwise", async () => {
    await using test = await setup();
    const target = `${test.served.fileUrl}#refs/heads/chorus/fix-1`;
    const without = test.effect({ target });
    const error = await failure(test.agent().act(without.effect, without.payload, { signal }));
    expect(error).toMatchObject({ code: "effects/invalid-effect", detail: { field: "options.base" } });
    const { effect, payload } = test.effect({
      target,
      options: { base: "refs/heads/main", directory: "sub/app" },
    });
    await test.agent().act(effect, payload, { signal });
    expect(test.served.log("chorus/fix-1")).toHaveLength(2);
    expect(test.served.log("main")).toHaveLength(1);
    expect(test.served.show("chorus/fix-1:sub/app/made.txt")).toBe("made.txt");
  });

  it("is found where its branch was merged, when the branch is gone", async () => {
    await using test = await setup();
    const options = { base: "refs/heads/main" };
    const { effect, payload } = test.effect({ target: `${test.served.fileUrl}#refs/heads/fix`, options });
    const { reference } = await test.agent().act(effect, payload, { signal });
    git(test.served.folder, ["update-ref", "refs/heads/main", "refs/heads/fix"]);
    git(test.served.folder, ["update-ref", "-d", "refs/heads/fix"]);
    const resolution = await test.agent().resolve(effect, { signal });
    expect(resolution).toMatchObject({ status: "done", receipt: { reference } });
    await test.agent().act(effect, payload, { signal });
    expect(test.served.count(effect.key)).toBe(1);
  });

  it("merges the commits of a bundle, which stay as they are", async () => {
    await using test = await setup();
    const work = join(test.folder, "run");
    git(test.folder, ["clone", "--quiet", test.served.folder, work]);
    writeFileSync(join(work, "a.txt"), "a\n");
    git(work, ["add", "."]);
    git(work, ["commit", "--quiet", "-m", "The run's own commit"]);
    git(work, ["bundle", "create", "--quiet", "../run.bundle", "origin/main..main"]);
    test.served.commit("meanwhile.txt");
    const bundle = readFileSync(join(test.folder, "run.bundle"));
    const { effect, payload } = test.effect({}, bundle);
    const { reference } = await test.agent().act(effect, payload, { signal });
    expect(test.served.count(effect.key)).toBe(1);
    expect(test.served.log()).toContain("The run's own commit");
    const files = git(test.served.folder, ["ls-tree", "--name-only", reference]).split("\n");
    expect(files).toEqual(["README.md", "a.txt", "meanwhile.txt"]);
    const [, own] = git(test.served.folder, ["show", "-s", "--format=%P", reference]).split(" ");
    expect(own).toBe(git(work, ["rev-parse", "main"]));
  });
});

describe("a concurrent pusher", () => {
  it("loses nothing, and the effect is built anew on its commit", async () => {
    await using test = await setup();
    const { effect, payload } = test.effect();
    let others = 0;
    const onStep = (step: string): void => {
      if (step === "push" && others < 3) test.served.commit(`other-${++others}.txt`);
    };
    await test.agent({ onStep }).act(effect, payload, { signal });
    expect(test.served.log()).toEqual([
      expect.stringContaining("Apply slot"),
      "Add other-3.txt",
      "Add other-2.txt",
      "Add other-1.txt",
      "Add README.md",
    ]);
  });

  it("that never stops is given up on, and nothing was pushed", async () => {
    await using test = await setup({ maxRebases: 2 });
    const { effect, payload } = test.effect();
    let others = 0;
    const onStep = (step: string): void => {
      if (step === "push") test.served.commit(`other-${++others}.txt`);
    };
    const error = await failure(test.agent({ onStep }).act(effect, payload, { signal }));
    expect(error).toMatchObject({ code: "effects/unanswered", retryable: true });
    expect([others, test.served.count(effect.key)]).toEqual([3, 0]);
  });

  it("that changed the same lines leaves no room: the payload is refused by name", async () => {
    await using test = await setup();
    const { effect, payload } = test.effect({}, patch("README.md"));
    const error = await failure(test.agent().act(effect, payload, { signal }));
    expect(error).toMatchObject({ code: "effects/invalid-effect", detail: { field: "payload" } });
    expect(test.served.count(effect.key)).toBe(0);
  });
});

describe("a line that breaks", () => {
  it("after the push was taken leaves one commit, which the agent finds by itself", async () => {
    await using test = await setup();
    test.server.cutAfterPush = true;
    const { effect, payload } = test.effect({ target: `${test.url}#refs/heads/main` });
    const { reference } = await test.agent().act(effect, payload, { signal });
    expect(test.served.count(effect.key)).toBe(1);
    expect(git(test.served.folder, ["rev-parse", "main"])).toBe(reference);
  });

  it("leaves locks behind that do not stop the next start", async () => {
    await using test = await setup();
    const directory = join(test.folder, "kept");
    const { effect, payload } = test.effect();
    await test.agent({ directory }).resolve(effect, { signal });
    const [copy = ""] = (await import("node:fs")).readdirSync(directory);
    for (const lock of ["packed-refs.lock", "config.lock", "HEAD.lock"])
      writeFileSync(join(directory, copy, lock), "");
    mkdirSync(join(directory, copy, "refs/seen"), { recursive: true });
    test.served.commit("more.txt");
    await test.agent({ directory }).act(effect, payload, { signal });
    expect(test.served.count(effect.key)).toBe(1);
    expect(existsSync(join(directory, copy, "packed-refs.lock"))).toBe(false);
  });
});

describe("what is refused", () => {
  it.each([
    ["target", { target: "file:///srv/app.git" }],
    ["target", { target: "ssh://host/app.git#refs/heads/main" }],
    ["target", { target: "ext::sh -c id#refs/heads/main" }],
    ["target", { target: "https://user:word@host/app.git#refs/heads/main" }],
    ["target", { target: "file:///srv/app.git#main" }],
    ["target", { target: "file:///srv/app.git#refs/heads/--upload-pack=x" }],
    ["target", { target: "file:///srv/app.git#refs/heads/a..b" }],
    ["options.base", { options: { base: "HEAD" } }],
    ["options.message", { options: { message: "x\n\nChorus-Effect: another" } }],
    ["options.directory", { options: { directory: "../other" } }],
  ])("names %s in %j", async (field, change) => {
    await using test = await setup();
    const { effect } = test.effect(change);
    expect(() => test.agent().check(effect)).toThrowError(
      expect.objectContaining({ detail: expect.objectContaining({ field }) }),
    );
  });

  it("is a repository or a branch that no rule names", async () => {
    await using test = await setup();
    const agent = test.agent({ allow: [{ url: test.served.fileUrl, refs: ["refs/heads/chorus/*"] }] });
    for (const target of [
      `${test.served.fileUrl}#refs/heads/main`,
      `${test.served.fileUrl}x#refs/heads/chorus/a`,
    ]) {
      const { effect, payload } = test.effect({ target });
      expect(errorCode(await failure(agent.act(effect, payload, { signal })))).toBe(
        "effects/target-not-allowed",
      );
    }
    expect(existsSync(join(test.folder, "agent-1"))).toBe(false);
  });

  it("is a patch that leads out of the repository or into its inside", async () => {
    await using test = await setup();
    for (const name of ["../out.txt", ".git/hooks/pre-push", "a/../../b"]) {
      const { effect, payload } = test.effect({}, patch(name));
      const error = await failure(test.agent().act(effect, payload, { signal }));
      expect([name, errorCode(error)]).toEqual([name, "effects/invalid-effect"]);
    }
    expect(test.served.log()).toHaveLength(1);
  });

  it("is what the repository's own hook refuses, in its words", async () => {
    await using test = await setup();
    const hook = join(test.served.folder, "hooks");
    mkdirSync(hook, { recursive: true });
    writeFileSync(join(hook, "pre-receive"), "#!/bin/sh\necho frozen for release >&2\nexit 1\n");
    chmodSync(join(hook, "pre-receive"), 0o755);
    const { effect, payload } = test.effect({ target: `${test.url}#refs/heads/main` });
    expect(await failure(test.agent().act(effect, payload, { signal }))).toMatchObject({
      code: "effects/refused",
      message: expect.stringContaining("hook declined"),
    });
    expect(await test.agent().resolve(effect, { signal })).toEqual({ status: "absent" });
  });
});

describe("credentials", () => {
  it("reach the repository, and stand in no error when it refuses them", async () => {
    await using test = await setup();
    const { effect, payload } = test.effect({ target: `${test.url}#refs/heads/main` });
    test.server.authorization = AUTHORIZATION;
    await test.agent().act(effect, payload, { signal });
    expect(test.served.count(effect.key)).toBe(1);
    test.server.authorization = "Basic another";
    const error = await failure(test.agent().act(effect, payload, { signal }));
    const shown = `${String(error)} ${JSON.stringify(error)} ${String((error as Error).stack)}`;
    expect(errorCode(error)).toBe("effects/unanswered");
    for (const secret of [PASSWORD, AUTHORIZATION.slice(6)]) expect(shown).not.toContain(secret);
  });

  it("do not follow a redirect", async () => {
    await using test = await setup();
    await using elsewhere = await gitServer(test.folder);
    test.server.redirect = `${elsewhere.url}/app.git/info/refs?service=git-upload-pack`;
    const { effect, payload } = test.effect({ target: `${test.url}#refs/heads/main` });
    const error = await failure(test.agent().act(effect, payload, { signal }));
    expect(errorCode(error)).toBe("effects/unanswered");
    expect(elsewhere.requests).toEqual([]);
  });

  it("that a rule names have to be there from the start", async () => {
    await using test = await setup();
    const allow = [{ url: "https://forge.example/app.git", credential: "missing" }];
    expect(() => test.agent({ allow })).toThrow("credentials.missing is missing");
  });
});

it("runs no hook, no filter and no setting of the machine that it runs on", async () => {
  await using test = await setup();
  const home = join(test.folder, "home");
  mkdirSync(home);
  const marker = join(test.folder, "ran");
  writeFileSync(join(test.folder, "hook"), `#!/bin/sh\ntouch ${marker}\n`);
  chmodSync(join(test.folder, "hook"), 0o755);
  writeFileSync(
    join(home, ".gitconfig"),
    `[core]\n\tsshCommand = x\n[url "file:///nowhere"]\n\tinsteadOf = file://\n`,
  );
  const before = { ...process.env };
  Object.assign(process.env, {
    HOME: home,
    GIT_DIR: "/nowhere",
    GIT_EXEC_PATH: "/nowhere",
    GIT_TRACE: marker,
  });
  try {
    const { effect, payload } = test.effect();
    await test.agent().act(effect, payload, { signal });
    expect(test.served.count(effect.key)).toBe(1);
  } finally {
    for (const name of ["GIT_DIR", "GIT_EXEC_PATH", "GIT_TRACE"]) delete process.env[name];
    process.env["HOME"] = before["HOME"];
  }
  expect(existsSync(marker)).toBe(false);
});

it("stops git when it is cancelled, and says so with the caller's reason", async () => {
  await using test = await setup();
  const stop = new AbortController();
  const reason = new Error("enough");
  const { effect, payload } = test.effect();
  const onStep = (step: string): void => {
    if (step === "push") stop.abort(reason);
  };
  expect(await failure(test.agent({ onStep }).act(effect, payload, { signal: stop.signal }))).toBe(reason);
  expect(test.served.count(effect.key)).toBe(0);
});

it("refuses a payload that is larger than it may be", async () => {
  await using test = await setup();
  const { effect } = test.effect();
  const error = await failure(
    test.agent({ maxPayloadBytes: 10 }).act(effect, cleaned(new Uint8Array(11)), { signal }),
  );
  expect(error).toMatchObject({ detail: { field: "payload" } });
});
