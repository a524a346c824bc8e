import type { ImageChoice, ImagePolicy, LanguageGuess } from "./contract.ts";
import { ImageRefusedError } from "./errors.ts";

/**
 * Official images, one release line each; none declares VOLUME. What was started is recorded by content in
 * `Sandbox.image`; who wants the same bytes everywhere passes `images` with `name@sha256:…`.
 */
const OFFICIAL: Readonly<Record<string, string>> = {
  python: "python:3.13-slim-bookworm",
  javascript: "node:24-bookworm-slim",
  typescript: "node:24-bookworm-slim",
  go: "golang:1.24-bookworm",
  rust: "rust:1-slim-bookworm",
  java: "eclipse-temurin:21-jdk",
  c: "gcc:14-bookworm",
  shell: "debian:bookworm-slim",
};

/**
 * Chooses the image for a task: the one that it names, else the first candidate's language by the policy, else by the
 * built-in official ones; a plain shell when there is no candidate.
 * @throws `sandbox/image-refused` when the policy's `allow` does not cover the choice
 */
export function selectImage(
  candidates: readonly Pick<LanguageGuess, "language">[],
  policy: ImagePolicy & { readonly image?: string } = {},
): ImageChoice {
  const choice = choose(candidates, policy);
  if (policy.allow !== undefined && !policy.allow.some((pattern) => matches(choice.image, pattern)))
    throw new ImageRefusedError(choice.image, `only these are allowed: ${policy.allow.join(", ")}`);
  return choice;
}

function choose(
  candidates: readonly Pick<LanguageGuess, "language">[],
  policy: ImagePolicy & { readonly image?: string },
): ImageChoice {
  if (policy.image !== undefined) return { image: policy.image, reason: "named by the task" };
  for (const { language } of candidates) {
    const own = policy.images?.[language];
    if (own !== undefined) return { image: own, language, reason: `configured for ${language}` };
    const official = OFFICIAL[language];
    if (official !== undefined) return { image: official, language, reason: `official for ${language}` };
  }
  const shell = policy.images?.["shell"] ?? OFFICIAL["shell"] ?? "";
  return { image: shell, language: "shell", reason: "no known language" };
}

function matches(image: string, pattern: string): boolean {
  return pattern.endsWith("*") ? image.startsWith(pattern.slice(0, -1)) : image === pattern;
}
