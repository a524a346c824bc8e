import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { DeclaredEffect, Effect } from "../../../check-history/record.ts";
import { moment } from "../../mesh/history.ts";
import type { Place } from "../../mesh/places.ts";

const SERVER = fileURLToPath(new URL("server.ts", import.meta.url));
const FLAGS = ["--conditions=@chorus/source", "--disable-warning=ExperimentalWarning"];
const BRANCH = "refs/heads/main";

/** What agents act upon: a bare git repository, and an HTTP server that all of them can reach, cut off or not. */
export class World implements Disposable {
  readonly #repository: string;
  readonly #gitUrl: string;
  readonly #httpUrl: string;
  readonly #child: ChildProcess;

  constructor(repository: string, child: ChildProcess, port: number) {
    this.#repository = repository;
    this.#gitUrl = pathToFileURL(repository).href;
    this.#httpUrl = `http://127.0.0.1:${port}`;
    this.#child = child;
  }

  /** What lets an agent act here, as its owner would say it. */
  get settings(): Readonly<Record<string, string>> {
    const call = {
      url: `${this.#httpUrl}/deliver/*`,
      idempotent: true,
      lookup: `${this.#httpUrl}/effects/{key}`,
      private: true,
    };
    return {
      CHORUS_EFFECTS_GIT: JSON.stringify([{ url: this.#gitUrl }]),
      CHORUS_EFFECTS_HTTP: JSON.stringify([call]),
    };
  }

  /** What a task has to declare and do for one commit and one call that bear its name; its name says which comes first. */
  work(name: string): {
    readonly effects: readonly object[];
    readonly declared: readonly DeclaredEffect[];
    readonly commands: readonly { readonly run: string }[];
  } {
    const file = `${name}.txt`;
    const patch = [
      `diff --git a/${file} b/${file}`,
      "new file mode 100644",
      "--- /dev/null",
      `+++ b/${file}`,
      "@@ -0,0 +1 @@",
      `+${name}`,
    ];
    const push = {
      slot: "push",
      kind: "git-push",
      target: `${this.#gitUrl}#${BRANCH}`,
      payload: "output/change.patch",
    };
    const call = {
      slot: "call",
      kind: "http",
      target: `POST ${this.#httpUrl}/deliver/${name}`,
      payload: "output/body.txt",
    };
    const lines = patch.map((line) => `'${line}'`).join(" ");
    return {
      commands: [
        { run: `mkdir -p /workspace/output && printf '%s\\n' ${lines} > /workspace/output/change.patch` },
        { run: `echo ${name} > /workspace/output/body.txt` },
      ],
      effects: /[02468]$/u.test(name) ? [push, call] : [call, push],
      declared: [
        { target: "git", subject: file },
        { target: "http", subject: name },
      ],
    };
  }

  /** Each commit that stands in the repository, as the effect that it is. @throws when its history was rewritten */
  commits(): readonly Effect[] {
    const moves = git(this.#repository, "log", "--walk-reflogs", "--format=%H", BRANCH)
      .split("\n")
      .filter(Boolean);
    const tip = moves[0];
    for (const before of moves)
      if (tip !== undefined) git(this.#repository, "merge-base", "--is-ancestor", before, tip);
    if (tip === undefined) return [];
    const format = "--format=%x00%(trailers:key=Chorus-Effect,valueonly,separator=%x2C)";
    const log = git(this.#repository, "log", "--reverse", "--name-only", format, tip);
    return log
      .split("\0")
      .slice(1)
      .flatMap((block): Effect[] => {
        const [key = "", ...names] = block.split("\n").filter((line) => line !== "");
        const base = { kind: "effect", at: moment(), target: "git", key, action: "made" } as const;
        return names.filter((name) => name !== FIRST_FILE).map((subject) => ({ ...base, subject }));
      });
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
  }
}

const FIRST_FILE = "README";

/** Makes the repository with a first commit, and starts the server where the peers are. */
export async function openWorld(folder: string, place: Place): Promise<World> {
  const repository = join(folder, "world", "app.git");
  mkdirSync(repository, { recursive: true });
  git(repository, "init", "--quiet", "--bare", "--initial-branch=main");
  git(repository, "config", "core.logAllRefUpdates", "always");
  const tree = git(repository, "mktree", {
    input: `100644 blob ${blobOf(repository)}\t${FIRST_FILE}\n`,
  }).trim();
  const commit = git(repository, ...AUTHOR, "commit-tree", "-m", "begin", tree).trim();
  git(repository, "update-ref", BRANCH, commit);
  const { before } = place.launch(0);
  const [program = "", ...words]: readonly string[] = [
    ...before,
    process.execPath,
    ...FLAGS,
    SERVER,
    join(folder, "world.jsonl"),
  ];
  const child = spawn(program, words, { stdio: ["pipe", "inherit", "inherit", "ipc"] });
  const port = await new Promise<number>((resolve, reject) => {
    child.once("message", (message: { port: number }) => resolve(message.port));
    child.once("exit", () => reject(new Error("the HTTP target did not start")));
  });
  return new World(repository, child, port);
}

const AUTHOR = ["-c", "user.name=harness", "-c", "user.email=harness@localhost"];

function blobOf(repository: string): string {
  return git(repository, "hash-object", "-w", "--stdin", { input: "begin\n" }).trim();
}

/** @throws with what git said */
function git(repository: string, ...words: readonly (string | { readonly input: string })[]): string {
  const args = words.filter((word) => typeof word === "string");
  const input = words.find((word) => typeof word !== "string")?.input ?? "";
  const { status, stdout, stderr } = spawnSync("git", ["-C", repository, ...args], {
    input,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`git ${args.join(" ")}: ${stderr.trim() || `exit code ${status}`}`);
  return stdout;
}
