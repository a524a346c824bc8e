import { ChorusError } from "@chorus/kernel";
import type { AddressFault, VerificationFault } from "./contract.ts";

/** A text that is not an address, and where it stops being one. */
export class UcxlError extends ChorusError {
  readonly code: `ucxl/${AddressFault}`;
  /** Index (UTF-16) in the given text of the character, or the part, that is wrong; its length when one is missing. */
  readonly position: number;

  constructor(fault: AddressFault, position: number, cause?: unknown) {
    super(`not a UCXL address: ${explanations[fault]} (at ${position})`, { detail: { position }, cause });
    this.code = `ucxl/${fault}`;
    this.position = position;
  }
}

/** A record that is not what was asked for, or that its author did not sign. It must not be used. */
export class VerificationError extends ChorusError {
  readonly code = "ucxl/verification-failed";

  constructor(
    reason: VerificationFault,
    problem: string,
    options: { detail?: object; cause?: unknown } = {},
  ) {
    super(`decision refused: ${problem}`, { detail: { reason, ...options.detail }, cause: options.cause });
  }
}

const explanations: Record<AddressFault, string> = {
  empty: "nothing follows ucxl://",
  scheme: "it must start with ucxl://",
  incomplete: "it needs project/task/role/agent/@time",
  name: "a name is 1–48 of a-z 0-9 - _ . and starts and ends with a letter or digit",
  "cid-syntax": "a content id is a CIDv1 in base32, 59 characters",
  "cid-type": "a content id must be dag-cbor or raw with SHA-256",
  temporal: "the time is @latest, @latest~N, @first, @vN, @tYYYYMMDDThhmmssZ or @<cid>",
  "temporal-instant": "there is no such instant",
  "segment-char": "a path segment has a character that cannot stand there",
  "not-nfc": "a path segment is not in Unicode form NFC",
  utf8: "a path segment is not UTF-8",
  "dot-segment": "a path segment must not be . or ..",
  "empty-segment": "a part is empty",
  "segment-long": "a path segment is over 255 octets",
  "too-deep": "a path has at most 32 segments",
  "too-long": "it is over 1024 octets",
  userinfo: "user information (@) is not allowed",
  port: "a port (:) is not allowed",
  query: "a query (?) is not allowed",
  fragment: "a fragment (#) is not allowed",
};
