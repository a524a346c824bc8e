import { checkPayload } from "./check-effect.ts";
import type { Effect, Effector, GitPushOptions, OnStep, Receipt } from "./contract.ts";
import { headerOf } from "./credential.ts";
import { InvalidEffectError, RefusedByTargetError, UnansweredError } from "./errors.ts";
import { type Author, commitOf, findEffect } from "./git-commit.ts";
import { GitCopy, type CopyOptions } from "./git-copy.ts";
import { GIT_PUSH, gitPolicies, gitTarget } from "./git-target.ts";

const DEFAULTS = {
  credentials: {},
  author: { name: "CHORUS", email: "chorus@localhost" },
  maxRebases: 8,
  timeoutMs: 60_000,
  maxPayloadBytes: 67_108_864,
  git: "git",
  path: "/usr/local/bin:/usr/bin:/bin",
  onStep: () => undefined,
};

interface Settings extends CopyOptions {
  readonly author: Author;
  readonly maxRebases: number;
  readonly onStep: OnStep;
}

interface Push {
  readonly effect: Effect;
  readonly payload: Uint8Array;
  readonly settings: Settings;
}

/** Where the target stands, and whether the effect is in its history. */
interface Sight {
  readonly done?: Receipt;
  /** The branch; undefined when there is none. */
  readonly tip: string | undefined;
  /** What a commit would be built on; undefined only in an empty repository. */
  readonly base: string | undefined;
}

/**
 * Pushes to git: target `https://host/app.git#refs/heads/main`, payload a patch or a bundle with one head. Each effect
 * is one commit that carries its key as a trailer, so the branch itself says whether it was done.
 */
export function gitPush(options: GitPushOptions): Effector {
  const { allow, maxPayloadBytes, ...settings } = { ...DEFAULTS, ...options };
  const policies = gitPolicies(allow);
  for (const { credential } of policies) headerOf(settings.credentials, credential);
  const opened = new Set<string>();
  const inTurn = oneByOne();

  /** One copy, one user at a time. */
  const withCopy = <T>(
    effect: Effect,
    signal: AbortSignal,
    work: (copy: GitCopy) => Promise<T>,
  ): Promise<T> => {
    const copy = new GitCopy(gitTarget(effect, policies), settings);
    return inTurn(copy.folder, async () => {
      signal.throwIfAborted();
      await copy.open(!opened.has(copy.folder), signal);
      opened.add(copy.folder);
      return work(copy);
    });
  };

  return {
    kind: GIT_PUSH,
    check: (effect) => void gitTarget(effect, policies),
    resolve: async (effect, { signal }) =>
      withCopy(effect, signal, async (copy) => {
        const { done } = await look(copy, effect, signal);
        return done === undefined ? { status: "absent" } : { status: "done", receipt: done };
      }),
    act: async (effect, payload, { signal }) => {
      checkPayload(effect, payload, maxPayloadBytes);
      return withCopy(effect, signal, (copy) => push(copy, { effect, payload, settings }, signal));
    },
  };
}

/** Builds on the tip that was seen and moves the branch only from there; who was overtaken looks again first. */
async function push(
  copy: GitCopy,
  { effect, payload, settings }: Push,
  signal: AbortSignal,
): Promise<Receipt> {
  const { author, maxRebases, onStep } = settings;
  await onStep("look");
  let sight = await look(copy, effect, signal);
  for (let rebases = 0; ; rebases++) {
    if (sight.done !== undefined) return sight.done;
    await onStep("commit");
    const { tip, base } = sight;
    const commit = await commitOf(copy, { effect, payload, base, author }, signal);
    await onStep("push");
    const problem = await copy.push(commit, tip, signal);
    if (problem === undefined) {
      await onStep("pushed");
      return receiptOf(copy, commit);
    }
    sight = await look(copy, effect, signal);
    if (sight.done !== undefined) return sight.done;
    if (sight.tip === tip) throw new RefusedByTargetError(problem);
    if (rebases === maxRebases)
      throw new UnansweredError(`others were faster ${maxRebases + 1} times; the branch moves too often`);
  }
}

async function look(copy: GitCopy, effect: Effect, signal: AbortSignal): Promise<Sight> {
  const { ref, base: start } = copy.target;
  const tip = await copy.tipOf(ref, signal);
  // A branch that was merged and removed has left its commits in the one that it started from.
  const base = start === undefined ? undefined : await copy.tipOf(start, signal);
  if (tip === undefined && base === undefined) await refuseUnlessEmpty(copy, signal);
  for (const end of [tip, base]) {
    const found =
      end === undefined ? undefined : await findEffect(copy, { tip: end, key: effect.key }, signal);
    if (found !== undefined) return { done: receiptOf(copy, found), tip, base: tip ?? base };
  }
  return { tip, base: tip ?? base };
}

/** Only in an empty repository may a branch start from nothing. */
async function refuseUnlessEmpty(copy: GitCopy, signal: AbortSignal): Promise<void> {
  const refs = await copy.refs([], signal);
  if (refs.size === 0) return;
  if (copy.target.base === undefined)
    throw new InvalidEffectError(
      "options.base",
      "is missing: the branch is new and has to start from another one",
    );
  throw new InvalidEffectError("options.base", "is no branch of the repository");
}

function receiptOf({ target }: GitCopy, commit: string): Receipt {
  return { reference: commit, detail: { ref: target.ref } };
}

/** Runs work under one name in turn. */
function oneByOne(): <T>(name: string, work: () => Promise<T>) => Promise<T> {
  const last = new Map<string, Promise<unknown>>();
  return async (name, work) => {
    const before = last.get(name);
    const mine = (async () => {
      await before?.catch(() => undefined);
      return work();
    })();
    last.set(name, mine);
    try {
      return await mine;
    } finally {
      if (last.get(name) === mine) last.delete(name);
    }
  };
}
