import { randomUUID } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Effect } from "./contract.ts";
import { InvalidEffectError } from "./errors.ts";
import type { GitCopy } from "./git-copy.ts";

const TRAILER = "Chorus-Effect";

/** The tree of nothing, known to git everywhere. */
const EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

/** Who commits. */
export interface Author {
  readonly name: string;
  readonly email: string;
}

/** What a commit is made of: the same parts make the same commit at every agent. */
export interface CommitParts {
  readonly effect: Effect;
  readonly payload: Uint8Array;
  /** What it is built on; undefined in an empty repository. */
  readonly base: string | undefined;
  readonly author: Author;
}

/** The effect as a commit on `base`. @throws 'effects/invalid-effect' when the payload does not fit there */
export async function commitOf(copy: GitCopy, parts: CommitParts, signal: AbortSignal): Promise<string> {
  const scratch = join(copy.folder, `scratch-${randomUUID()}`);
  try {
    const isBundle = /^# v[23] git bundle\n/.test(
      Buffer.from(parts.payload.subarray(0, 32)).toString("latin1"),
    );
    const { tree, parents } = isBundle
      ? await merged(copy, { ...parts, scratch }, signal)
      : await patched(copy, { ...parts, scratch }, signal);
    return await committed(copy, { ...parts, tree, parents }, signal);
  } finally {
    await rm(scratch, { force: true });
    await rm(`${scratch}.lock`, { force: true });
  }
}

interface Contents {
  readonly tree: string;
  readonly parents: readonly string[];
}

interface Draft extends CommitParts {
  readonly scratch: string;
}

/** A patch lands in an index of its own: no work tree, so no file of this machine is touched. */
async function patched(copy: GitCopy, draft: Draft, signal: AbortSignal): Promise<Contents> {
  const { effect, payload, base, scratch } = draft;
  const env = { GIT_INDEX_FILE: scratch };
  const directory = effect.options?.["directory"];
  const place = directory === undefined ? [] : [`--directory=${directory}`];
  await copy.git(["read-tree", base ?? EMPTY_TREE], { signal, env });
  await copy.payload(["apply", "--cached", "--whitespace=nowarn", ...place, "-"], {
    signal,
    env,
    input: payload,
  });
  const tree = (await copy.git(["write-tree"], { signal, env })).trim();
  return { tree, parents: base === undefined ? [] : [base] };
}

/** A bundle's own commits stay as they are; the commit that carries the trailer merges them. */
async function merged(copy: GitCopy, draft: Draft, signal: AbortSignal): Promise<Contents> {
  const { effect, payload, base, scratch } = draft;
  if (effect.options?.["directory"] !== undefined)
    throw new InvalidEffectError("options.directory", "is for patches; a bundle has its own paths");
  await writeFile(scratch, payload, { mode: 0o600 });
  const tip = await copy.takeBundle(payload, scratch, signal);
  if (base === undefined) {
    const tree = (await copy.git(["rev-parse", `${tip}^{tree}`], { signal })).trim();
    return { tree, parents: [tip] };
  }
  const [tree = ""] = (
    await copy.payload(["merge-tree", "--write-tree", "--no-messages", base, tip], { signal })
  )
    .trim()
    .split("\n");
  return { tree, parents: [base, tip] };
}

async function committed(copy: GitCopy, parts: CommitParts & Contents, signal: AbortSignal): Promise<string> {
  const { effect, author, base, tree, parents } = parts;
  const { message = `Apply ${effect.slot} of task ${effect.taskId.slice(0, 12)}` } = effect.options ?? {};
  const text = `${message.trim()}\n\nChorus-Task: ${effect.taskId}\n${TRAILER}: ${effect.key}\n`;
  const seconds = await secondsOf(copy, { base, at: effect.at }, signal);
  const env = {
    GIT_AUTHOR_NAME: author.name,
    GIT_AUTHOR_EMAIL: author.email,
    GIT_AUTHOR_DATE: `${seconds} +0000`,
    GIT_COMMITTER_NAME: author.name,
    GIT_COMMITTER_EMAIL: author.email,
    GIT_COMMITTER_DATE: `${seconds} +0000`,
  };
  const args = ["commit-tree", tree, ...parents.flatMap((parent) => ["-p", parent]), "-F", "-"];
  return (await copy.git(args, { signal, env, input: new TextEncoder().encode(text) })).trim();
}

/** By no clock of this machine, or two agents would make two commits; and never before the base's. */
async function secondsOf(
  copy: GitCopy,
  { base, at }: { readonly base: string | undefined; readonly at: number },
  signal: AbortSignal,
): Promise<number> {
  const asked = Math.floor(at / 1000);
  if (base === undefined) return asked;
  const text = await copy.git(["log", "-1", "--no-show-signature", "--format=%ct", base], { signal });
  return Math.max(asked, Number(text.trim()));
}

/** The commit in a history that carries the effect. */
export async function findEffect(
  copy: GitCopy,
  { tip, key }: { readonly tip: string; readonly key: string },
  signal: AbortSignal,
): Promise<string | undefined> {
  const format = `--format=%H %(trailers:key=${TRAILER},valueonly,separator=%x20)`;
  const search = [
    "log",
    "--no-show-signature",
    "--fixed-strings",
    `--grep=${TRAILER}: ${key}`,
    format,
    tip,
    "--",
  ];
  const lines = (await copy.git(search, { signal })).trim().split("\n");
  // The grep only narrows: the key has to stand in the trailer.
  const found = lines.map((line) => line.split(" ")).filter(([, ...keys]) => keys.includes(key));
  return found.at(-1)?.[0];
}
