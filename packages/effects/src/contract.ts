import type { Cid, Clean } from "@chorus/kernel";

/** Cancels a call; it then rejects with `signal.reason`. What was already asked of a target may still happen. */
export interface Cancel {
  readonly signal: AbortSignal;
}

/** One effect that was permitted: same key, same effect, whoever acts and however often. */
export interface Effect {
  /** Names the effect for ever: 52 characters of base32. */
  readonly key: string;
  readonly taskId: string;
  /** Name of the slot in the task's policy. */
  readonly slot: string;
  /** Which one of the slot's effects, from 0. */
  readonly ordinal: number;
  readonly kind: string;
  /** What is acted on, in the form of the kind. */
  readonly target: string;
  /** SHA-256 of the payload, lower-case hex. */
  readonly digest: string;
  /** Digests that former attempts were permitted to send under this key. */
  readonly earlier: readonly string[];
  /** Milliseconds since the epoch of the first intent, the same at every peer. */
  readonly at: number;
  /** Settings of the kind; an unknown one is refused. */
  readonly options?: Readonly<Record<string, string>>;
}

/** What the target has to show for an effect. Holds no secret and no payload. */
export interface Receipt {
  /** Commit id, key at the endpoint, content id, digest of the file: what the kind promises. */
  readonly reference: string;
  readonly detail?: Readonly<Record<string, string>>;
}

/** What can be said about an effect that may have been acted or not. */
export type Resolution =
  | { readonly status: "done"; readonly receipt: Receipt }
  /** Not done when it was looked at, and acting later is one effect even if a frozen predecessor acts too. */
  | { readonly status: "absent" }
  /** Cannot be seen, but the target promises that acting again under the same key is one effect. */
  | { readonly status: "repeatable" }
  /** Neither can be seen nor repeated: a human has to look. */
  | { readonly status: "unknown"; readonly reason: string };

/** Acts on one kind of target. Fits the port of `@chorus/coordinator`. */
export interface Effector {
  /** Word of the task's policy, for example `git-push`. */
  readonly kind: string;
  /**
   * Refuses what this effector will never do, before anybody is asked. Touches nothing.
   * @throws 'effects/invalid-effect' | 'effects/target-not-allowed'
   */
  check(effect: Effect): void;
  /** Looks whether the effect has happened. Changes nothing. */
  resolve(effect: Effect, options: Cancel): Promise<Resolution>;
  /**
   * Makes the effect happen, once: where it has happened already, its receipt is the answer. An error with
   * `notDone: true` says that the target did nothing; after any other the effect may have happened: resolve it.
   */
  act(effect: Effect, payload: Clean<Uint8Array>, options: Cancel): Promise<Receipt>;
}

/** Told, and waited for, before each step of an act: for traces and fault tests. */
export type OnStep = (step: string) => void | Promise<void>;

/** What proves us to a target. Configuration of the agent; never in a task, a message or a log. */
export type Credential =
  | { readonly kind: "bearer"; readonly token: string }
  | { readonly kind: "basic"; readonly user: string; readonly password: string }
  | { readonly kind: "header"; readonly name: string; readonly value: string };

/** Credentials by the name that rules refer to. */
export type Credentials = Readonly<Record<string, Credential>>;

/** A repository that may be pushed to. */
export interface GitRule {
  /** `file:///…`, `http://…`, `https://…`; exact, or everything below when it ends in `/*`. */
  readonly url: string;
  /** Refs that may be moved; `*` stands for anything. @default ["refs/heads/*"] */
  readonly refs?: readonly string[];
  readonly credential?: string;
}

export interface GitPushOptions {
  /** Where copies of the targets' histories are kept, so that a second push fetches little. Ours alone. */
  readonly directory: string;
  readonly allow: readonly GitRule[];
  /** @default none */
  readonly credentials?: Credentials;
  /** Who commits; the same at every agent, so that commits are. @default CHORUS <chorus@localhost> */
  readonly author?: { readonly name: string; readonly email: string };
  /** How often a push that met a concurrent one is built anew. @default 8 */
  readonly maxRebases?: number;
  /** For one git command. @default 60_000 */
  readonly timeoutMs?: number;
  /** @default 67_108_864 */
  readonly maxPayloadBytes?: number;
  /** The binary. @default "git" */
  readonly git?: string;
  /** Where git and its helpers are found. @default "/usr/local/bin:/usr/bin:/bin" */
  readonly path?: string;
  readonly onStep?: OnStep;
}

/** An endpoint that may be called. */
export interface HttpRule {
  /** @default ["POST"] */
  readonly methods?: readonly string[];
  /** Scheme, host, port and path; the path exact, or everything below when it ends in `/*`. */
  readonly url: string;
  readonly credential?: string;
  /** True: the endpoint promises one effect for one `Idempotency-Key`. @default false */
  readonly idempotent?: boolean;
  /** Where an effect can be seen: a URL with `{key}`, 200 when it was done and 404 when not. */
  readonly lookup?: string;
  /** True: the host's name may lead to loopback, private and link-local addresses. @default false */
  readonly private?: boolean;
}

export interface HttpCallOptions {
  readonly allow: readonly HttpRule[];
  /** @default none */
  readonly credentials?: Credentials;
  /** From the first byte sent to the last one read. @default 30_000 */
  readonly timeoutMs?: number;
  /** A longer answer is a failed call. @default 65_536 */
  readonly maxResponseBytes?: number;
  /** @default 8_388_608 */
  readonly maxPayloadBytes?: number;
  /** Finds a host's addresses. @default the system's resolver */
  readonly addressesOf?: (host: string) => Promise<readonly string[]>;
  readonly onStep?: OnStep;
}

export interface FileDeliveryOptions {
  /** Folders, absolute, below which files may be delivered. */
  readonly bases: readonly string[];
  /** @default 268_435_456 */
  readonly maxPayloadBytes?: number;
  readonly onStep?: OnStep;
}

/** The mesh's storage, as publishing needs it. `@chorus/dht-storage` fits. */
export interface PublishPort {
  put(
    bytes: Clean<Uint8Array>,
    options: Cancel & { readonly codec: "dag-cbor" | "raw"; readonly class: "decision" | "artifact" },
  ): Promise<{ readonly cid: Cid }>;
  putHead(
    head: { readonly lane: string; readonly seq: number; readonly cid: Cid },
    options: Cancel,
  ): Promise<unknown>;
  head(lane: string, options: Cancel): Promise<{ readonly seq: number; readonly cid: Cid } | undefined>;
}

/** The secret scanner; a publication's own record passes it too. `@chorus/shhh` fits. */
export interface PassPort {
  pass(bytes: Uint8Array): Clean<Uint8Array>;
}

export interface UcxlPublishComponents {
  readonly storage: PublishPort;
  readonly redactor: PassPort;
}
