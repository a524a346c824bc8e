const SHAPE =
  /^(?<version>[0-9a-f]{2})-(?<trace>[0-9a-f]{32})-(?<parent>[0-9a-f]{16})-[0-9a-f]{2}(?<rest>-.*)?$/;
const MAX_CHARACTERS = 128;

/**
 * A W3C traceparent as it may travel, or empty text for anything else: the specification has a receiver ignore
 * a header that it cannot parse and never fail for it (Trace Context, sections 3.2 and 4.3). Later versions
 * than 00 may append fields.
 */
export function traceparentOf(value: unknown): string {
  if (typeof value !== "string" || value.length > MAX_CHARACTERS) return "";
  const { version, trace, parent, rest } = SHAPE.exec(value)?.groups ?? {};
  if (version === undefined || version === "ff" || (version === "00" && rest !== undefined)) return "";
  return isZero(trace) || isZero(parent) ? "" : value;
}

function isZero(id = ""): boolean {
  return /^0*$/.test(id);
}
