import { copyFileSync, existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { installOutside, type Outside, reported, typeCheck } from "./outside.ts";
import { execute } from "./process.ts";
import { importsOf, parseSource } from "./syntax.ts";

const EXAMPLES = "tools/examples";
const MAX_LINES = 30;
/** Three processes on a busy machine, one loss that has to be noticed. */
const RUN_TIMEOUT_MS = 90_000;

/** What an example prints when it did what it is for; ending without an error proves less. */
const PROOFS: Readonly<Record<string, RegExp>> = {
  "p2p.ts": /^(\w+ heard \w+ and \w+\n){3}$/,
  "election.ts": /^(\w+) is admin of term \d+\n(?!\1)\w+ is admin of term \d+\n$/,
};

/** Every example is short, and works alone: in a project that has the packs that it imports, and no others. */
export async function checkExamples(outside: Outside): Promise<readonly string[]> {
  const folder = join(outside.workspace.root, EXAMPLES);
  const files = existsSync(folder) ? globSync("*.ts", { cwd: folder }).sort() : [];
  const problems: string[] = [];
  for (const file of files)
    for (const problem of await checkExample(outside, join(folder, file), file))
      problems.push(`${EXAMPLES}/${file}: ${problem}`);
  return problems;
}

async function checkExample(outside: Outside, path: string, file: string): Promise<readonly string[]> {
  const lines = readFileSync(path, "utf8").trimEnd().split("\n").length;
  const tooLong = lines > MAX_LINES ? [`it has ${lines} lines, at most ${MAX_LINES}`] : [];
  const specifiers = importsOf(parseSource(path)).map(({ specifier }) => specifier);
  const names = [...new Set(specifiers.flatMap((name) => /^@chorus\/[^/]+/.exec(name) ?? []))];
  const project = join(outside.folder, file.replace(/\.ts$/, ""));
  const missing = await installOutside(outside, project, names);
  if (missing.length > 0) return [...tooLong, ...missing];
  copyFileSync(path, join(project, file));
  const types = await reported("type-checking", typeCheck(project));
  const { code, output } = await execute([process.execPath, "--disable-warning=ExperimentalWarning", file], {
    cwd: project,
    timeoutMs: RUN_TIMEOUT_MS,
  });
  const shown = code === 0 && PROOFS[file]?.test(output) === true;
  return [...tooLong, ...types, ...(shown ? [] : [`it ended with ${code} and printed:\n${output.trim()}`])];
}
