import { decodeText } from "./tree.ts";

const BY_EXTENSION: Readonly<Record<string, string>> = {
  json: "application/json",
  jsonl: "application/x-ndjson",
  xml: "application/xml",
  html: "text/html",
  css: "text/css",
  csv: "text/csv",
  md: "text/markdown",
  patch: "text/x-diff",
  diff: "text/x-diff",
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  svg: "image/svg+xml",
  pdf: "application/pdf",
  zip: "application/zip",
  gz: "application/gzip",
  tar: "application/x-tar",
  wasm: "application/wasm",
};

/** The media type of a file by its extension, else by whether it is text. */
export function mediaTypeOf(path: string, bytes: Uint8Array): string {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const known = BY_EXTENSION[name.slice(name.lastIndexOf(".") + 1).toLowerCase()];
  return known ?? (decodeText(bytes) === undefined ? "application/octet-stream" : "text/plain");
}
