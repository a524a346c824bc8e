/**
 * Forms that look secret to an entropy test and are public by design: names and addresses that the mesh prints
 * all the time. Each expression is anchored and linear, and sees one candidate, never a text.
 */
const PUBLIC_FORMS: readonly RegExp[] = [
  /^b[a-z2-7]{58}$/, // CIDv1, base32
  /^Qm[1-9A-HJ-NP-Za-km-z]{44}$/, // CIDv0, and RSA peer ids
  /^12D3KooW[1-9A-HJ-NP-Za-km-z]{44}$/, // Ed25519 peer id, base58
  /^k51qzi5uqu5[0-9a-z]{51}$/, // the same as a CIDv1 in base36
  /^age1[02-9ac-hj-np-z]{58}$/, // age recipient, X25519
  /^age1pq1[02-9ac-hj-np-z]{100,4000}$/, // age recipient, hybrid
  /^CAESI[A-Za-z0-9+/]{43}$/, // libp2p public key protobuf, Ed25519
];

/** True for content ids, peer ids, age recipients, libp2p public keys. */
export function isPublicForm(value: string): boolean {
  return PUBLIC_FORMS.some((form) => form.test(value));
}

const NAME = "[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?|[*]";
/** `agent:role@project:task`, the long form of an address, which has the shape of credentials and is none. */
const UCXL_AUTHORITY = new RegExp(`^(?:${NAME}):(?:${NAME})@(?:${NAME})(?::(?:${NAME}))?$`, "i");
const UCXL = "ucxl://";
const AUTHORITY_MAX = 260;

/** True when a ucxl:// address begins the text: its authority is made of names, whatever path follows. */
export function isUcxlAddress(text: string): boolean {
  if (!text.toLowerCase().startsWith(UCXL)) return false;
  const authority = text.slice(UCXL.length).split("/", 1)[0] ?? "";
  return authority.length <= AUTHORITY_MAX && (!authority.includes("@") || UCXL_AUTHORITY.test(authority));
}
