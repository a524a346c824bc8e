import { fromLatin1, toLatin1 } from "./latin1.ts";

const MAX_DEPTH = 100;
/** Stands for what cannot be walked: too deep, or a getter that throws. Nothing of it leaves. */
const UNREADABLE = "[shhh:unreadable]";

/** Redacts one text; findings are the caller's affair. */
export type RedactText = (text: string, isBytes: boolean) => string;

/** A deep copy with all text redacted. Cycles and shared parts stay what they are. */
export function copyRedacted(value: unknown, redact: RedactText): unknown {
  return new Copier(redact).copy(value, 0);
}

class Copier {
  readonly #redact: RedactText;
  readonly #copies = new Map<object, unknown>();

  constructor(redact: RedactText) {
    this.#redact = redact;
  }

  copy(value: unknown, depth: number): unknown {
    if (typeof value === "string") return this.#redact(value, false);
    if (typeof value === "symbol") return Symbol(this.#redact(value.description ?? "", false));
    if (typeof value === "function") return this.#redact(`[function ${value.name}]`, false);
    if (typeof value !== "object" || value === null) return value;
    if (this.#copies.has(value)) return this.#copies.get(value);
    if (depth > MAX_DEPTH) return UNREADABLE;
    try {
      return this.#copyObject(value, depth + 1);
    } catch {
      this.#copies.set(value, UNREADABLE);
      return UNREADABLE;
    }
  }

  #copyObject(value: object, depth: number): unknown {
    if (Array.isArray(value))
      return this.#fill<unknown[]>(value, [], (list) => {
        for (const item of value) list.push(this.copy(item, depth));
      });
    if (value instanceof Date) return new Date(value);
    if (value instanceof Map)
      return this.#fill(value, new Map<unknown, unknown>(), (map) => {
        for (const [key, item] of value) map.set(this.copy(key, depth), this.copy(item, depth));
      });
    if (value instanceof Set)
      return this.#fill(value, new Set<unknown>(), (set) => {
        for (const item of value) set.add(this.copy(item, depth));
      });
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return this.#copyBytes(value);
    if (value instanceof Error) return this.#copyError(value, depth);
    return this.#copyRecord(value, depth);
  }

  #fill<T extends object>(original: object, copy: T, fill: (copy: T) => void): T {
    this.#copies.set(original, copy);
    fill(copy);
    return copy;
  }

  /** Byte arrays keep their class; views of wider numbers become bytes when something in them was hidden. */
  #copyBytes(value: ArrayBufferView | ArrayBuffer): unknown {
    const bytes = ArrayBuffer.isView(value)
      ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
      : new Uint8Array(value);
    const text = toLatin1(bytes);
    const redacted = this.#redact(text, true);
    if (redacted === text) return structuredCopy(value, bytes);
    const copy = fromLatin1(redacted);
    if (Buffer.isBuffer(value)) return Buffer.from(copy.buffer);
    return value instanceof ArrayBuffer ? copy.buffer : copy;
  }

  #copyError(error: Error, depth: number): Error {
    const prototype: unknown = Object.getPrototypeOf(error);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- made from an error's own prototype
    const copy = Object.create(prototype as object) as Error;
    return this.#fill(error, copy, () => {
      for (const key of Reflect.ownKeys(error)) this.#define({ from: error, to: copy, key }, depth);
    });
  }

  /** Objects of a class become records: their methods may rely on private state that a copy does not have. */
  #copyRecord(value: object, depth: number): unknown {
    if ("toJSON" in value && typeof value.toJSON === "function") {
      const json: unknown = value.toJSON();
      return json === value ? UNREADABLE : this.copy(json, depth);
    }
    const text = boxedText(value);
    if (text !== undefined) return this.#redact(text, false);
    return this.#fill(value, {}, (copy) => {
      for (const key of Object.keys(value)) this.#define({ from: value, to: copy, key }, depth);
    });
  }

  #define({ from, to, key }: { from: object; to: object; key: string | symbol }, depth: number): void {
    const isVisible = Object.prototype.propertyIsEnumerable.call(from, key);
    Object.defineProperty(to, typeof key === "string" ? this.#redact(key, false) : key, {
      value: this.#read(from, key, depth),
      enumerable: isVisible,
      configurable: true,
      writable: true,
    });
  }

  #read(from: object, key: string | symbol, depth: number): unknown {
    let value: unknown;
    try {
      value = Reflect.get(from, key);
    } catch {
      return UNREADABLE;
    }
    return this.copy(value, depth);
  }
}

/** Regular expressions, query strings, boxed strings: things whose content is their text. */
function boxedText(value: object): string | undefined {
  if (value instanceof RegExp || value instanceof URLSearchParams) return value.toString();
  const primitive: unknown = value.valueOf();
  return typeof primitive === "string" ? primitive : undefined;
}

function structuredCopy(value: ArrayBufferView | ArrayBuffer, bytes: Uint8Array): unknown {
  return Buffer.isBuffer(value) ? Buffer.from(bytes) : structuredClone(value);
}
