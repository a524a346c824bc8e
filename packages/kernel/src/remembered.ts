/**
 * A pure function of text that keeps its latest results: a mesh asks about the same few peers for every message.
 * Failures are not kept.
 */
export function remembered<T>(make: (text: string) => T, limit: number): (text: string) => T {
  const results = new Map<string, T>();
  return (text) => {
    const known = results.get(text);
    if (known !== undefined) return known;
    const result = make(text);
    const [oldest] = results.size < limit ? [] : results.keys();
    if (oldest !== undefined) results.delete(oldest);
    results.set(text, result);
    return result;
  };
}
