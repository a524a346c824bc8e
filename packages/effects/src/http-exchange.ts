import { lookup } from "node:dns/promises";
import { type IncomingMessage, request as plainRequest } from "node:http";
import { request as secureRequest } from "node:https";
import { isIP, isIPv6, type LookupFunction } from "node:net";
import type { HttpCallOptions } from "./contract.ts";
import { RefusedByTargetError, UnansweredError } from "./errors.ts";
import type { HttpPolicy } from "./http-target.ts";
import { isPublicAddress } from "./public-address.ts";

/** What goes out. */
export interface Question {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly policy: HttpPolicy;
}

/** What came back. */
export interface Answer {
  readonly status: number;
  readonly location?: string;
  readonly body: Uint8Array;
}

export interface Bounds {
  readonly timeoutMs: number;
  readonly maxResponseBytes: number;
  readonly addressesOf: NonNullable<HttpCallOptions["addressesOf"]>;
}

/** The system's resolver. */
export async function systemAddresses(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

/**
 * One request on a connection of its own: no redirect is followed, no proxy is asked, nothing is sent twice.
 * @throws 'effects/refused' before anything was sent, 'effects/unanswered' afterwards
 */
export async function exchange(question: Question, bounds: Bounds, signal: AbortSignal): Promise<Answer> {
  const addresses = await reachable(question, bounds, signal);
  const limit = AbortSignal.timeout(bounds.timeoutMs);
  const ended = AbortSignal.any([signal, limit]);
  try {
    const response = await ask(question, addresses, ended);
    return await answerOf(response, bounds.maxResponseBytes);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof UnansweredError) throw error;
    const problem = limit.aborted ? `nothing within ${bounds.timeoutMs} ms` : codeOf(error);
    throw new UnansweredError(problem);
  }
}

/** Looked up once and used as found, so that a name cannot mean one host to the check and another to the call. */
async function reachable(
  { url, policy }: Question,
  { addressesOf }: Bounds,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (isIP(host) !== 0) return [host];
  const addresses = await addressesOf(host).catch((error: unknown) => {
    throw new RefusedByTargetError(`its name is not known: ${codeOf(error)}`);
  });
  signal.throwIfAborted();
  const allowed = policy.mayBePrivate ? addresses : addresses.filter(isPublicAddress);
  if (allowed.length === 0)
    throw new RefusedByTargetError("its name leads to no public address, and the rule does not say private");
  return allowed;
}

function ask(
  question: Question,
  addresses: readonly string[],
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const { method, url, headers, body, policy } = question;
  const send = url.protocol === "https:" ? secureRequest : plainRequest;
  const credential = policy.header === undefined ? {} : { [policy.header.name]: policy.header.value };
  return new Promise((resolve, reject) => {
    const outgoing = send(url, {
      method,
      headers: {
        ...headers,
        ...credential,
        "user-agent": "chorus",
        ...(body === undefined ? {} : { "content-length": String(body.length) }),
      },
      agent: false,
      signal,
      lookup: found(addresses),
    });
    outgoing.once("response", resolve);
    outgoing.once("error", reject);
    outgoing.end(body);
  });
}

function found(addresses: readonly string[]): LookupFunction {
  const all = addresses.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }));
  return (_host, options, callback) => {
    const [first] = all;
    if (options.all) callback(null, all);
    else if (first === undefined) callback(new Error("no address"), "", 4);
    else callback(null, first.address, first.family);
  };
}

async function answerOf(response: IncomingMessage, maxBytes: number): Promise<Answer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > maxBytes) {
      response.destroy();
      throw new UnansweredError(`more than ${maxBytes} bytes`);
    }
    chunks.push(chunk);
  }
  const { statusCode: status = 0, headers } = response;
  const { location } = headers;
  return { status, body: Buffer.concat(chunks), ...(location === undefined ? {} : { location }) };
}

/** Codes of the system, never texts: those may quote what was sent. */
function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string"
    ? error.code
    : "no connection";
}
