/** The same text with fenced code blanked, so that what stands in a sample is neither heading nor link. */
export function prose(text: string): string {
  return text.replace(/^```[^]*?^```$/gm, (block) => block.replace(/[^\n]/g, " "));
}

/** The text below a `## heading`, up to the next one. */
export function section(text: string, heading: string): string | undefined {
  const outside = prose(text);
  const title = outside.indexOf(`\n## ${heading}\n`);
  if (title < 0) return undefined;
  const from = title + heading.length + 5;
  const next = outside.indexOf("\n## ", from - 1);
  return text.slice(from, next < 0 ? undefined : next).trim();
}

/** The first ```ts block below `## Use`. */
export function sampleOf(text: string): string | undefined {
  return /```ts\n([^]*?)\n```/.exec(section(text, "Use") ?? "")?.[1]?.trim();
}
