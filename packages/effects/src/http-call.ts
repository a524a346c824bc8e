import { checkPayload, digestOf } from "./check-effect.ts";
import type { Effect, Effector, HttpCallOptions, Receipt, Resolution } from "./contract.ts";
import { withoutSecrets } from "./credential.ts";
import { RefusedByTargetError, UnansweredError } from "./errors.ts";
import { type Answer, type Bounds, exchange, type Question, systemAddresses } from "./http-exchange.ts";
import { HTTP, httpPolicies, httpTarget, type HttpTarget } from "./http-target.ts";

const DEFAULTS = {
  credentials: {},
  timeoutMs: 30_000,
  maxResponseBytes: 65_536,
  maxPayloadBytes: 8_388_608,
  addressesOf: systemAddresses,
  onStep: () => undefined,
};

/** Longest member of a receipt's detail that a ledger takes. */
const MAX_DETAIL = 256;

/** Answers by which a target says that it did nothing; 409 and 422 may speak of a former call under the key. */
const REFUSALS = new Set([400, 401, 403, 404, 405, 406, 410, 411, 413, 414, 415, 421, 431]);

/**
 * Calls HTTP endpoints: target `POST https://host/path`, payload as the body, key as `Idempotency-Key`. Done is what
 * was answered with 2xx; a redirect is no answer, since following it would be another target.
 */
export function httpCall(options: HttpCallOptions): Effector {
  const { allow, credentials, maxPayloadBytes, onStep, ...bounds } = { ...DEFAULTS, ...options };
  const policies = httpPolicies(allow, credentials);
  const shown = (text: string): string => withoutSecrets(text, credentials);
  return {
    kind: HTTP,
    check: (effect) => void httpTarget(effect, policies),
    async resolve(effect, { signal }) {
      signal.throwIfAborted();
      return resolve(effect, httpTarget(effect, policies), { bounds, shown, signal });
    },
    async act(effect, payload, { signal }) {
      signal.throwIfAborted();
      checkPayload(effect, payload, maxPayloadBytes);
      const target = httpTarget(effect, policies);
      await onStep("send");
      const answer = await exchange(questionOf(effect, target, payload), bounds, signal);
      await onStep("answered");
      return receiptOf(effect, answer, shown);
    },
  };
}

function questionOf(effect: Effect, { method, url, policy }: HttpTarget, body: Uint8Array): Question {
  const contentType = effect.options?.["content-type"] ?? "application/octet-stream";
  const headers = { "content-type": contentType, "idempotency-key": effect.key };
  return { method, url, policy, headers, body };
}

/** @throws 'effects/refused' | 'effects/unanswered' */
function receiptOf(
  { key: reference }: Effect,
  { status, location, body }: Answer,
  shown: (text: string) => string,
): Receipt {
  if (REFUSALS.has(status)) throw new RefusedByTargetError(`status ${status}`, { status });
  if (status < 200 || status > 299) throw new UnansweredError(`status ${status}`);
  const detail = { status: String(status), body: `sha256:${digestOf(body)}` };
  return {
    reference,
    detail: location === undefined ? detail : { ...detail, location: shown(location).slice(0, MAX_DETAIL) },
  };
}

interface Looking {
  readonly bounds: Bounds;
  readonly shown: (text: string) => string;
  readonly signal: AbortSignal;
}

async function resolve(effect: Effect, { policy }: HttpTarget, looking: Looking): Promise<Resolution> {
  const { bounds, shown, signal } = looking;
  if (policy.lookup === undefined)
    return policy.idempotent
      ? { status: "repeatable" }
      : { status: "unknown", reason: "the endpoint neither shows effects nor honours Idempotency-Key" };
  const url = new URL(policy.lookup.replaceAll("{key}", effect.key));
  const answer = await exchange({ method: "GET", url, policy, headers: {} }, bounds, signal);
  if (answer.status === 200) return { status: "done", receipt: receiptOf(effect, answer, shown) };
  if (answer.status !== 404)
    return { status: "unknown", reason: `the look-up was answered with status ${answer.status}` };
  // Not there now; but a predecessor's call may still be on its way.
  return policy.idempotent
    ? { status: "absent" }
    : { status: "unknown", reason: "the endpoint does not honour Idempotency-Key" };
}
