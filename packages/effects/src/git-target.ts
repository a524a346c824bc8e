import { checkEffect } from "./check-effect.ts";
import type { Effect, GitRule } from "./contract.ts";
import { InvalidEffectError, TargetNotAllowedError } from "./errors.ts";
import { isAllowedBy, parseUrl, parseUrlRule, type UrlRule } from "./url-rule.ts";

export const GIT_PUSH = "git-push";

const PROTOCOLS = ["file:", "http:", "https:"];
const OPTIONS = ["base", "message", "directory"];
const MAX_MESSAGE = 4096;

/** One branch of one repository, and how we prove ourselves there. */
export interface GitTarget {
  readonly url: string;
  readonly ref: string;
  /** The branch that a new one starts from. */
  readonly base?: string;
  readonly credential?: string;
}

/** A rule, read once. */
export interface GitPolicy {
  readonly url: UrlRule;
  readonly refs: readonly RegExp[];
  readonly credential?: string;
}

/** @throws 'effects/invalid-effect' naming the rule's field */
export function gitPolicies(rules: readonly GitRule[]): readonly GitPolicy[] {
  return rules.map(({ url, refs = ["refs/heads/*"], credential }, at) => ({
    url: parseUrlRule(url, `allow[${at}].url`, PROTOCOLS),
    refs: refs.map(patternOf),
    ...(credential === undefined ? {} : { credential }),
  }));
}

/** Reads and checks the effect as a whole. @throws 'effects/invalid-effect' | 'effects/target-not-allowed' */
export function gitTarget(effect: Effect, policies: readonly GitPolicy[]): GitTarget {
  checkEffect(effect, GIT_PUSH, OPTIONS);
  const { base, message = "", directory = "." } = effect.options ?? {};
  const [address = "", ref, more] = effect.target.split("#");
  if (ref === undefined || more !== undefined)
    throw new InvalidEffectError(
      "target",
      "must be a repository's URL, #, and a ref: …/app.git#refs/heads/main",
    );
  checkRef(ref, "target");
  if (base !== undefined) checkRef(base, "options.base");
  checkMessage(message);
  checkDirectory(directory);
  const url = parseUrl(address, "target", PROTOCOLS);
  if (url.search !== "") throw new InvalidEffectError("target", "must have no query");
  const policy = policies.find((one) => isAllowedBy(one.url, url) && one.refs.some((rule) => rule.test(ref)));
  if (policy === undefined)
    throw new TargetNotAllowedError("target", "is no branch that this agent may push to");
  const { credential } = policy;
  return {
    url: url.href,
    ref,
    ...(base === undefined ? {} : { base }),
    ...(credential === undefined ? {} : { credential }),
  };
}

/** Narrower than git's own rule. */
function checkRef(ref: string, field: string): void {
  const isRef = /^refs\/heads\/[A-Za-z0-9_][\w.+@-]*(?:\/[A-Za-z0-9_][\w.+@-]*)*$/.test(ref);
  if (!isRef || ref.length > 255 || /\.\.|@\{|\.lock(?:\/|$)|\.(?:\/|$)/.test(ref))
    throw new InvalidEffectError(field, "must name a branch as refs/heads/name");
}

/** Where a patch's paths start. */
function checkDirectory(directory: string): void {
  if (directory !== "." && !/^[A-Za-z0-9_][\w.-]*(?:\/[A-Za-z0-9_][\w.-]*)*$/.test(directory))
    throw new InvalidEffectError("options.directory", "must be a path inside the repository");
}

/** A message that could be taken for another effect's trailer would make that one look done. */
function checkMessage(message: string): void {
  // oxlint-disable-next-line eslint/no-control-regex -- git keeps them, terminals obey them
  if (message.length > MAX_MESSAGE || /[\x00-\x08\x0b-\x1f\x7f]/.test(message))
    throw new InvalidEffectError("options.message", `must be text of at most ${MAX_MESSAGE} characters`);
  if (/^\s*chorus-\w+\s*:/im.test(message))
    throw new InvalidEffectError("options.message", "must hold no trailer of ours");
}

function patternOf(glob: string): RegExp {
  const parts = glob.split("*").map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`);
}
