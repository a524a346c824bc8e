import { timingSafeEqual, createHash } from "node:crypto";
import type { ApiOptions } from "./contract.ts";
import type { Problem } from "./problem.ts";

/** Types of body that a web page cannot send to another origin without asking first. */
const SAFE_MEDIA_TYPES = ["application/json", "application/x-tar", "application/octet-stream"];
const READING = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Decides before any route sees a request. A page in the user's browser can reach this port, under any name that
 * resolves to it, so each check stands alone: the exact Host (DNS rebinding), the origin (other pages), the media
 * type (forms), the token (everyone else). A missing Origin proves nothing.
 */
export function guard(options: ApiOptions): (request: Request) => Problem | undefined {
  const hosts = new Set(options.hosts.map((host) => host.toLowerCase()));
  const origins = new Set([...hosts].flatMap((host) => [`http://${host}`, `https://${host}`]));
  const expected = digest(options.token);
  return (request) => {
    const host = (request.headers.get("host") ?? new URL(request.url).host).toLowerCase();
    if (!hosts.has(host)) return { status: 421, code: "wrong-host", title: "This server has another name" };
    if (isForeign(request.headers, origins))
      return { status: 403, code: "foreign-origin", title: "Requests from other pages are refused" };
    if (new URL(request.url).pathname === "/health/live") return undefined;
    if (!timingSafeEqual(digest(bearer(request.headers)), expected))
      return { status: 401, code: "unauthorized", title: "A valid bearer token is needed" };
    if (!READING.has(request.method) && !hasSafeMediaType(request.headers))
      return {
        status: 415,
        code: "media-type",
        title: "This media type is not accepted",
        detail: `send ${SAFE_MEDIA_TYPES.join(" or ")}`,
      };
    return undefined;
  };
}

function isForeign(headers: Headers, origins: ReadonlySet<string>): boolean {
  const origin = headers.get("origin");
  if (origin !== null && !origins.has(origin.toLowerCase())) return true;
  const site = headers.get("sec-fetch-site");
  return site !== null && site !== "same-origin" && site !== "none";
}

function hasSafeMediaType(headers: Headers): boolean {
  const mediaType = (headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  return SAFE_MEDIA_TYPES.includes(mediaType);
}

function bearer(headers: Headers): string {
  const [scheme, token] = (headers.get("authorization") ?? "").split(" ");
  return scheme?.toLowerCase() === "bearer" ? (token ?? "") : "";
}

/** Equal lengths whatever was sent, so that the comparison takes the same time. */
function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
