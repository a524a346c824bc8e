import { type Cid, InvalidInputError, parseCid, parsePeerId, type PeerId } from "@chorus/kernel";
import { isName } from "./part.ts";

/** Reads one value, or throws an InvalidInputError that names `path`. */
export type Check<T> = (value: unknown, path: string) => T;

type Shape = Readonly<Record<string, Check<unknown>>>;
type Read<C> = C extends Check<infer T> ? T : never;
type Fields<Required extends Shape, Optional extends Shape> = {
  readonly [K in keyof Required]: Read<Required[K]>;
} & { readonly [K in keyof Optional]?: Read<Optional[K]> };

function fail(path: string, problem: string): never {
  throw new InvalidInputError(path, problem);
}

export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
  );
}

/** A map with these fields and no others. An optional field that is undefined counts as missing. */
export function record<R extends Shape, O extends Shape>(required: R, optional: O): Check<Fields<R, O>> {
  const checks: Shape = { ...required, ...optional };
  return (value, path) => {
    if (!isMap(value)) return fail(path || "record", "must be a map");
    const at = (name: string): string => (path === "" ? name : `${path}/${name}`);
    for (const name of Object.keys(value)) if (!Object.hasOwn(checks, name)) fail(at(name), "is unknown");
    const fields: Record<string, unknown> = {};
    for (const [name, check] of Object.entries(checks)) {
      const field = Object.hasOwn(value, name) ? value[name] : undefined;
      if (field !== undefined) fields[name] = check(field, at(name));
      else if (Object.hasOwn(required, name)) fail(at(name), "is missing");
    }
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- every field has just been read by its check
    return fields as Fields<R, O>;
  };
}

export function listOf<T>(check: Check<T>, max: number, min = 0): Check<readonly T[]> {
  return (value, path) => {
    if (!Array.isArray(value) || value.length < min || value.length > max)
      return fail(path, `must be a list of ${min}–${max}`);
    return value.map((item: unknown, i) => check(item, `${path}/${i}`));
  };
}

export function nullable<T>(check: Check<T>): Check<T | null> {
  return (value, path) => (value === null ? null : check(value, path));
}

export function oneOf<const T extends string>(...values: readonly T[]): Check<T> {
  return (value, path) =>
    values.find((known) => known === value) ?? fail(path, `must be one of: ${values.join(", ")}`);
}

export function integer(min: number, max = Number.MAX_SAFE_INTEGER): Check<number> {
  return (value, path) =>
    typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max
      ? value
      : fail(path, `must be an integer from ${min} to ${max}`);
}

/** Copies, so that a record does not change when the caller's buffer does. */
export function bytes(min: number, max: number): Check<Uint8Array> {
  return (value, path) =>
    value instanceof Uint8Array && value.length >= min && value.length <= max
      ? new Uint8Array(value)
      : fail(path, min === max ? `must be ${min} bytes` : `must be ${min}–${max} bytes`);
}

/** One line of `1–max` characters (code points), as other languages count them. */
export function line(max: number): Check<string> {
  return (value, path) => {
    // A code point takes at most two UTF-16 units: cut hostile length before counting.
    const fits = typeof value === "string" && value.length <= max * 2 && value.isWellFormed();
    if (!fits || value === "" || codePoints(value) > max) return fail(path, `must be 1–${max} characters`);
    if (/[\p{Cc}\u2028\u2029]/u.test(value)) return fail(path, "must be one line without control characters");
    return value;
  };
}

function codePoints(text: string): number {
  return Array.from(text).length;
}

const RESTRICTED = "[a-z0-9][a-z0-9!#$&^_.+-]{0,62}";
const MEDIA_TYPE = new RegExp(`^${RESTRICTED}/${RESTRICTED}(?:; ?[a-z0-9-]+=[A-Za-z0-9!#$&^_.+-]+)*$`);

/** RFC 6838, section 4.2, lower case, parameters allowed. */
export const mediaType: Check<string> = (value, path) =>
  typeof value === "string" && value.length <= 127 && MEDIA_TYPE.test(value)
    ? value
    : fail(path, "must be a media type such as text/markdown, lower case, at most 127 characters");

export const name: Check<string> = (value, path) =>
  typeof value === "string" && isName(value)
    ? value
    : fail(path, "must be a name: 1–48 of a-z 0-9 - _ . between letters or digits");

export const cid: Check<Cid> = (value, path) => parseCid(value, path);

export const peer: Check<PeerId> = (value, path) => parsePeerId(value, path);
