import { InvalidEffectError } from "./errors.ts";

/** A URL that is allowed, alone or with everything below it. */
export interface UrlRule {
  readonly protocol: string;
  readonly host: string;
  readonly path: string;
  readonly isPrefix: boolean;
}

/**
 * Reads a URL as it will be used. What has two readings is refused: user and password, fragments, and escapes of
 * the characters that separate a path.
 * @throws 'effects/invalid-effect' naming `field`
 */
export function parseUrl(text: string, field: string, protocols: readonly string[]): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !protocols.includes(url.protocol))
    throw new InvalidEffectError(field, `must be a URL of ${protocols.join(" ")}`);
  if (url.username !== "" || url.password !== "")
    throw new InvalidEffectError(field, "must hold no user and no password: credentials are the agent's");
  if (url.hash !== "") throw new InvalidEffectError(field, "must have no fragment");
  if (/%(?:2f|5c|00|25)/i.test(url.pathname) || text.includes("\\"))
    throw new InvalidEffectError(field, "must have a path without escaped separators");
  return url;
}

/** @throws 'effects/invalid-effect' naming `field` */
export function parseUrlRule(text: string, field: string, protocols: readonly string[]): UrlRule {
  const isPrefix = text.endsWith("/*");
  const url = parseUrl(isPrefix ? text.slice(0, -1) : text, field, protocols);
  if (url.search !== "" || url.pathname.includes("*") || url.host.includes("*"))
    throw new InvalidEffectError(field, "may have a * only as the last part of its path, and no query");
  return { protocol: url.protocol, host: url.host, path: url.pathname, isPrefix };
}

/** Whole parts of the path only: a rule for `/orders/*` says nothing about `/orders-of-others`. */
export function isAllowedBy(rule: UrlRule, url: URL): boolean {
  if (rule.protocol !== url.protocol || rule.host !== url.host) return false;
  if (!rule.isPrefix) return rule.path === url.pathname;
  return url.pathname.length > rule.path.length && url.pathname.startsWith(rule.path);
}
