/** Control, bidirectional and invisible characters, and what replaces undecodable bytes: a name with these lies. */
const UNSAFE =
  // oxlint-disable-next-line eslint/no-control-regex -- control characters are what it looks for
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffd\\]/u;
const UNSAFE_ALL = new RegExp(UNSAFE.source, "gu");

/**
 * Splits an archive's entry name into safe parts; the empty list is the root itself.
 * Undefined for an absolute name, one that leads upward, or one that cannot be shown or stored as it is.
 */
export function splitName(name: string): string[] | undefined {
  if (name.startsWith("/") || UNSAFE.test(name) || Buffer.byteLength(name) > 4096) return undefined;
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.some((part) => part === ".." || Buffer.byteLength(part) > 255)) return undefined;
  return parts;
}

/** The name with every unsafe character written as an escape, and not too long to show. */
export function showName(name: string): string {
  return name
    .slice(0, 1024)
    .replaceAll(UNSAFE_ALL, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`);
}

/** Equal for names that some file system takes for the same. */
export function collisionKey(path: string): string {
  return path.normalize("NFC").toLowerCase();
}
