import { createHash, randomUUID } from "node:crypto";
import { globSync } from "node:fs";
import { mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Credentials, GitPushOptions } from "./contract.ts";
import { headerOf, withoutSecrets } from "./credential.ts";
import { InvalidEffectError, UnansweredError } from "./errors.ts";
import { type Git, type GitAnswer, type GitCall, gitCommand } from "./git-command.ts";
import type { GitTarget } from "./git-target.ts";

/** What reading and writing one repository needs. */
export interface CopyOptions extends Pick<GitPushOptions, "directory"> {
  readonly credentials: Credentials;
  readonly git: string;
  readonly path: string;
  readonly timeoutMs: number;
}

/** Our own copy of a target's history; where commits are built. */
export class GitCopy {
  readonly #run: Git;
  readonly #remote: Pick<GitCall, "config">;
  readonly #credentials: Credentials;
  readonly target: GitTarget;
  readonly folder: string;

  constructor(target: GitTarget, options: CopyOptions) {
    const { directory, credentials, git, path, timeoutMs } = options;
    const header = headerOf(credentials, target.credential);
    this.target = target;
    this.folder = join(
      directory,
      `${createHash("sha256").update(target.url).digest("hex").slice(0, 32)}.git`,
    );
    this.#credentials = credentials;
    this.#run = gitCommand({ git, path, cwd: this.folder, timeoutMs });
    this.#remote =
      header === undefined
        ? {}
        : { config: { [`http.${target.url}.extraHeader`]: `${header.name}: ${header.value}` } };
  }

  /** Makes the copy, or takes it up again: a predecessor that was killed may have left its locks. */
  async open(isFirst: boolean, signal: AbortSignal): Promise<void> {
    const exists = await stat(join(this.folder, "HEAD")).catch(() => undefined);
    if (exists === undefined) {
      await mkdir(this.folder, { recursive: true, mode: 0o700 });
      await this.git(["init", "--quiet", "--bare", "--template=", "--initial-branch=none", "."], { signal });
    } else if (isFirst) {
      const locks = globSync("{*.lock,refs/**/*.lock,objects/**/*.lock}", { cwd: this.folder });
      await Promise.all(locks.map((lock) => rm(join(this.folder, lock), { force: true })));
    }
  }

  /** Where a branch of the target stands, with its history here. @returns undefined when there is no such branch */
  async tipOf(ref: string, signal: AbortSignal): Promise<string | undefined> {
    const seen = (await this.refs([ref], signal)).get(ref);
    if (seen === undefined) return undefined;
    const { code } = await this.try(["cat-file", "-e", `${seen}^{commit}`], { signal });
    if (code === 0) return seen;
    // It may have moved on since: what was fetched counts.
    const kept = `refs/seen/${createHash("sha256").update(ref).digest("hex").slice(0, 32)}`;
    const fetch = [
      "fetch",
      "--quiet",
      "--no-tags",
      "--no-write-fetch-head",
      "--force",
      "--",
      this.target.url,
    ];
    await this.git([...fetch, `+${ref}:${kept}`], { signal, ...this.#remote });
    return (await this.git(["rev-parse", "--verify", `${kept}^{commit}`], { signal })).trim();
  }

  /** @param names all refs when empty */
  async refs(names: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
    const listing = ["ls-remote", "--refs", "--quiet", "--", this.target.url, ...names];
    const text = await this.git(listing, { signal, ...this.#remote });
    const rows = text.split("\n").flatMap((line): [string, string][] => {
      const [id, name] = line.split("\t");
      return id === undefined || name === undefined ? [] : [[name, id]];
    });
    return new Map(rows);
  }

  /** Moves the branch, unless it no longer stands at `expected`. @returns why it was not moved */
  async push(commit: string, expected: string | undefined, signal: AbortSignal): Promise<string | undefined> {
    const { url, ref } = this.target;
    const quiet = [
      "--porcelain",
      "--no-verify",
      "--no-follow-tags",
      "--no-recurse-submodules",
      "--no-signed",
    ];
    const lease = `--force-with-lease=${ref}:${expected ?? ""}`;
    const answer = await this.try(["push", ...quiet, lease, "--", url, `${commit}:${ref}`], {
      signal,
      ...this.#remote,
    });
    if (answer.code === 0) return undefined;
    const row = answer.stdout.split("\n").find((line) => line.startsWith("!"));
    return (
      this.shown(row === undefined ? answer.stderr : (row.split("\t").at(-1) ?? "")) || "the push failed"
    );
  }

  /** Brings the commits of a bundle here. @returns its one head */
  async takeBundle(bundle: Uint8Array, file: string, signal: AbortSignal): Promise<string> {
    const heads = (await this.payload(["bundle", "list-heads", file], { signal })).trim().split("\n");
    const [head = ""] = heads;
    const name = head.slice(head.indexOf(" ") + 1);
    if (heads.length !== 1 || name === "" || bundle.length === 0)
      throw new InvalidEffectError("payload", "must be a bundle with one head");
    const kept = `refs/bundle/${randomUUID()}`;
    const fetch = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--", file, `+${name}:${kept}`];
    await this.payload(fetch, { signal });
    const tip = (await this.git(["rev-parse", "--verify", `${kept}^{commit}`], { signal })).trim();
    await this.git(["update-ref", "-d", kept], { signal });
    return tip;
  }

  /** A command that has to succeed. @throws 'effects/unanswered' */
  async git(args: readonly string[], call: GitCall): Promise<string> {
    const { code, stdout, stderr } = await this.#run(args, call);
    if (code !== 0) throw new UnansweredError(`git ${args[0] ?? ""}: ${this.shown(stderr)}`);
    return stdout;
  }

  /** A command that fails when the payload is no good. @throws 'effects/invalid-effect' */
  async payload(args: readonly string[], call: GitCall): Promise<string> {
    const { code, stdout, stderr } = await this.#run(args, call);
    if (code !== 0) throw new InvalidEffectError("payload", `does not fit: ${this.shown(stderr)}`);
    return stdout;
  }

  /** A command whose failure is an answer. */
  try(args: readonly string[], call: GitCall): Promise<GitAnswer> {
    return this.#run(args, call);
  }

  /** Paths of this machine are nobody's business. */
  shown(text: string): string {
    return withoutSecrets(text.replaceAll(this.folder, "."), this.#credentials);
  }
}
