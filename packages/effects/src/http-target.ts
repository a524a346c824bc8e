import { isIP } from "node:net";
import { checkEffect } from "./check-effect.ts";
import type { Credentials, Effect, HttpRule } from "./contract.ts";
import { type Header, headerOf } from "./credential.ts";
import { InvalidEffectError, TargetNotAllowedError } from "./errors.ts";
import { isAllowedBy, parseUrl, parseUrlRule, type UrlRule } from "./url-rule.ts";

export const HTTP = "http";

const PROTOCOLS = ["http:", "https:"];
const METHODS = ["POST", "PUT", "PATCH", "DELETE"];
const MAX_TARGET = 2048;

/** One call that is allowed, with what its rule says. */
export interface HttpTarget {
  readonly method: string;
  readonly url: URL;
  readonly policy: HttpPolicy;
}

/** A rule, read once. */
export interface HttpPolicy {
  readonly methods: readonly string[];
  readonly url: UrlRule;
  readonly header?: Header;
  readonly idempotent: boolean;
  readonly lookup?: string;
  /** The rule itself names a numeric or local host, or says that it is meant. */
  readonly mayBePrivate: boolean;
}

/** @throws 'effects/invalid-effect' naming the rule's field */
export function httpPolicies(rules: readonly HttpRule[], credentials: Credentials): readonly HttpPolicy[] {
  return rules.map((rule, at) => {
    const { methods = ["POST"], credential, idempotent = false, lookup } = rule;
    const wrong = methods.find((method) => !METHODS.includes(method));
    if (wrong !== undefined || methods.length === 0)
      throw new InvalidEffectError(`allow[${at}].methods`, `must be some of ${METHODS.join(" ")}`);
    const url = parseUrlRule(rule.url, `allow[${at}].url`, PROTOCOLS);
    if (lookup !== undefined) checkLookup(lookup, url, `allow[${at}].lookup`);
    const header = headerOf(credentials, credential);
    return {
      methods,
      url,
      idempotent,
      mayBePrivate: rule.private === true || isLocalByName(url.host),
      ...(header === undefined ? {} : { header }),
      ...(lookup === undefined ? {} : { lookup }),
    };
  });
}

/** Reads and checks the effect as a whole. @throws 'effects/invalid-effect' | 'effects/target-not-allowed' */
export function httpTarget(effect: Effect, policies: readonly HttpPolicy[]): HttpTarget {
  checkEffect(effect, HTTP, ["content-type"]);
  const contentType = effect.options?.["content-type"] ?? "";
  if (!/^[\x20-\x7e]{0,255}$/.test(contentType))
    throw new InvalidEffectError("options.content-type", "must be printable ASCII");
  const [method = "", address = "", more] = effect.target.split(" ");
  if (more !== undefined || !METHODS.includes(method) || effect.target.length > MAX_TARGET)
    throw new InvalidEffectError("target", "must be a method and a URL: POST https://host/path");
  const url = parseUrl(address, "target", PROTOCOLS);
  const policy = policies.find((one) => one.methods.includes(method) && isAllowedBy(one.url, url));
  if (policy === undefined) throw new TargetNotAllowedError("target", "is nothing that this agent may call");
  return { method, url, policy };
}

/** The same host as the rule's: it is given the rule's credential. */
function checkLookup(lookup: string, rule: UrlRule, field: string): void {
  const url = parseUrl(lookup.replaceAll("{key}", "key"), field, PROTOCOLS);
  if (!lookup.includes("{key}") || url.host !== rule.host || url.protocol !== rule.protocol)
    throw new InvalidEffectError(field, "must hold {key} and have the rule's scheme, host and port");
}

/** Who writes a number or `localhost` into a rule knows where it leads. */
function isLocalByName(host: string): boolean {
  const name = host.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
  return isIP(name) !== 0 || name === "localhost";
}
