import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { z } from "zod";
import { ConfigError, type ConfigProblem } from "./errors.ts";
import { settings, type Setting } from "./settings.ts";

type Settings = typeof settings;

/** A peer's configuration, checked; `settings` says what each member means. */
export type Config = Omit<{ [K in keyof Settings]: z.output<Settings[K]["schema"]> }, "identityFile"> & {
  readonly identityFile: string;
};

/** Where a value came from, for people; secrets are not in it. */
export interface ConfigEntry {
  readonly name: string;
  readonly help: string;
  readonly value: string;
  readonly source: "default" | "environment" | "file";
}

const PREFIX = "CHORUS_";
const all: readonly Setting<unknown>[] = Object.values(settings);

/**
 * Reads a configuration from environment variables only; an empty variable counts as unset. For each secret `X`,
 * `X_FILE` names a file to read instead (one trailing newline is dropped).
 * @throws ConfigError with every problem at once
 */
export function configuration(env: Readonly<Record<string, string | undefined>>): Config {
  const problems: ConfigProblem[] = unknownNames(env);
  const values = new Map<string, unknown>();
  for (const [key, entry] of Object.entries<Setting<unknown>>(settings)) {
    const parsed = entry.schema.safeParse(readOne(entry, env, problems)?.text);
    if (parsed.success) values.set(key, parsed.data);
    else for (const issue of parsed.error.issues) problems.push({ name: entry.name, problem: issue.message });
  }
  if (problems.length > 0) throw new ConfigError(problems);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each value was parsed by its own schema
  const config = Object.fromEntries(values) as { [K in keyof Settings]: z.output<Settings[K]["schema"]> };
  const dataDirectory = resolve(config.dataDirectory);
  const identityFile = resolve(config.identityFile ?? `${dataDirectory}/identity.key`);
  return { ...config, dataDirectory, identityFile };
}

/** Every setting with its value and source, for `--print-config` and `--help`. */
export function describeConfig(env: Readonly<Record<string, string | undefined>>): ConfigEntry[] {
  return all.map((entry) => {
    const given = readOne(entry, env, []);
    const parsed = entry.schema.safeParse(given?.text);
    const value = entry.secret && given ? "(secret)" : show(parsed.success ? parsed.data : given?.text);
    return { name: entry.name, help: entry.help, value, source: given?.source ?? "default" };
  });
}

function show(value: unknown): string {
  if (value === undefined) return "";
  if (Array.isArray(value) && value.every((one) => typeof one === "string")) return value.join(",");
  return typeof value === "string" ? value : JSON.stringify(value);
}

function readOne(
  entry: Setting<unknown>,
  env: Readonly<Record<string, string | undefined>>,
  problems: ConfigProblem[],
): { text: string; source: "environment" | "file" } | undefined {
  const direct = env[entry.name] || undefined;
  const file = entry.secret ? env[`${entry.name}_FILE`] || undefined : undefined;
  if (direct !== undefined && file !== undefined)
    problems.push({ name: entry.name, problem: `is set twice: ${entry.name} and ${entry.name}_FILE` });
  if (direct !== undefined) return { text: direct, source: "environment" };
  if (file === undefined) return undefined;
  try {
    return { text: readFileSync(file, "utf8").replace(/\r?\n$/, ""), source: "file" };
  } catch (error) {
    const reason = error instanceof Error ? error.message : "unreadable";
    problems.push({ name: `${entry.name}_FILE`, problem: reason });
    return undefined;
  }
}

function unknownNames(env: Readonly<Record<string, string | undefined>>): ConfigProblem[] {
  const known = all.flatMap((entry) => (entry.secret ? [entry.name, `${entry.name}_FILE`] : [entry.name]));
  return Object.keys(env)
    .filter((name) => name.startsWith(PREFIX) && !known.includes(name))
    .map((name) => ({ name, problem: `is unknown; ${advice(name, known)}` }));
}

function advice(name: string, known: readonly string[]): string {
  const byDistance = known.map((candidate) => ({ candidate, edits: distance(name, candidate) }));
  const [nearest] = byDistance.toSorted((a, b) => a.edits - b.edits);
  const isNear = nearest !== undefined && nearest.edits <= (name.length - PREFIX.length) / 2;
  return isNear ? `did you mean ${nearest.candidate}?` : "--help lists what is known";
}

/** Levenshtein distance, row by row. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (const [i, char] of Array.from(a).entries()) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      const replaced = (row[j] ?? 0) + (char === b[j] ? 0 : 1);
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
