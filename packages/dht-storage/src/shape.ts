import { InvalidInputError, type Canonical } from "@chorus/kernel";

/** The fields of a decoded map, not yet judged. */
export type Fields = Readonly<Record<string, Canonical | undefined>>;

/** A map with exactly these keys. @throws InvalidInputError */
export function fieldsOf(value: Canonical, keys: readonly string[]): Fields {
  const isMap =
    value !== null && typeof value === "object" && !Array.isArray(value) && !(value instanceof Uint8Array);
  if (!isMap) throw new InvalidInputError("record", "must be a map");
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what is left of Canonical here is a map
  const map = value as Readonly<Record<string, Canonical>>;
  for (const key of keys) if (!Object.hasOwn(map, key)) throw new InvalidInputError(key, "is missing");
  for (const key of Object.keys(map)) if (!keys.includes(key)) throw new InvalidInputError(key, "is unknown");
  return map;
}

export function bytesField(map: Fields, key: string, length?: number): Uint8Array {
  const value = map[key];
  if (!(value instanceof Uint8Array)) throw new InvalidInputError(key, "must be bytes");
  if (length !== undefined && value.length !== length)
    throw new InvalidInputError(key, `must be ${length} bytes`);
  return value;
}

export function countField(map: Fields, key: string): number {
  const value = map[key];
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0)
    throw new InvalidInputError(key, "must be a count");
  return value;
}

export function textField(map: Fields, key: string, maxLength: number): string {
  const value = map[key];
  if (typeof value !== "string" || value.length === 0 || value.length > maxLength)
    throw new InvalidInputError(key, `must be text of 1 to ${maxLength} characters`);
  return value;
}

/** A list of byte strings. */
export function bytesListField(
  map: Fields,
  key: string,
  bounds: { readonly items: number; readonly length?: number },
): readonly Uint8Array[] {
  const value = map[key];
  if (!Array.isArray(value) || value.length > bounds.items)
    throw new InvalidInputError(key, `must be a list of at most ${bounds.items}`);
  return value.map((item: Canonical, i) =>
    bytesField({ [`${key}/${i}`]: item }, `${key}/${i}`, bounds.length),
  );
}
