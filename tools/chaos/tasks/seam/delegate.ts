/** The same object with some methods replaced; all others, also those that come later, are its own. */
export function delegate<T extends object>(to: T, replaced: Partial<T>): T {
  const own = new Map<PropertyKey, unknown>(Object.entries(replaced));
  return new Proxy(to, {
    get(target, name) {
      if (own.has(name)) return own.get(name);
      const value: unknown = Reflect.get(target, name, target);
      // No bound function: V8's AsyncDisposableStack does not take one.
      return typeof value === "function"
        ? (...args: unknown[]): unknown => Reflect.apply(value, target, args)
        : value;
    },
  });
}
