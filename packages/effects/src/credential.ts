import type { Credential, Credentials } from "./contract.ts";
import { InvalidEffectError } from "./errors.ts";

/** One header field of a request. */
export interface Header {
  readonly name: string;
  readonly value: string;
}

/**
 * The header that a credential is sent in.
 * @throws 'effects/invalid-effect' naming the credential, never its value
 */
export function headerOf(credentials: Credentials, name: string | undefined): Header | undefined {
  if (name === undefined) return undefined;
  const credential = Object.hasOwn(credentials, name) ? credentials[name] : undefined;
  if (credential === undefined) throw new InvalidEffectError(`credentials.${name}`, "is missing");
  const header = fieldOf(credential);
  if (!/^[a-z0-9!#$%&'*+.^_`|~-]+$/i.test(header.name) || !/^[\x20-\x7e]+$/.test(header.value))
    throw new InvalidEffectError(`credentials.${name}`, "does not fit a header");
  return header;
}

function fieldOf(credential: Credential): Header {
  if (credential.kind === "header") return { name: credential.name, value: credential.value };
  if (credential.kind === "bearer") return { name: "authorization", value: `Bearer ${credential.token}` };
  const { user, password } = credential;
  return { name: "authorization", value: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` };
}

const LONGEST_REASON = 300;

/** What others said, fit to be shown: without our credentials, on one line, short. */
export function withoutSecrets(text: string, credentials: Credentials): string {
  const values = Object.values(credentials).flatMap((credential) => [
    ...secretsIn(credential),
    fieldOf(credential).value,
    fieldOf(credential).value.replace(/^(?:Basic|Bearer) /, ""),
  ]);
  const longestFirst = values.filter((value) => value !== "").toSorted((a, b) => b.length - a.length);
  const hidden = longestFirst.reduce((shown, value) => shown.replaceAll(value, "[hidden]"), text);
  // oxlint-disable-next-line eslint/no-control-regex -- terminals obey them
  const line = hidden.replace(/[\x00-\x1f\x7f]+/g, " ").trim();
  return line.length <= LONGEST_REASON ? line : `${line.slice(0, LONGEST_REASON - 1)}…`;
}

function secretsIn(credential: Credential): readonly string[] {
  if (credential.kind === "bearer") return [credential.token];
  return credential.kind === "basic" ? [credential.password] : [credential.value];
}
