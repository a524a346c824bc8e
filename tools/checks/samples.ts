import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execute } from "./process.ts";
import { sampleOf } from "./markdown.ts";
import { readText, shortName, type Workspace } from "./workspace.ts";

const FOLDER = "dist/samples";
const RUN_TIMEOUT_MS = 30_000;

/** One piece of code that a reader will copy. */
interface Sample {
  /** Where it stands, for the message. */
  readonly from: string;
  readonly name: string;
  readonly code: string;
  /** Documentation shows parts of programs; a package's sample is one. */
  readonly runs: boolean;
}

/** Type-checks every TypeScript sample of the READMEs and the documentation, and runs those of the READMEs. */
export async function checkSamples(workspace: Workspace): Promise<readonly string[]> {
  const samples = [...readmeSamples(workspace), ...documentSamples(workspace)];
  const folder = join(workspace.root, FOLDER);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const { name, code } of samples) writeFileSync(join(folder, `${name}.ts`), `${code}\nexport {};\n`);
  const config = {
    extends: "../../tsconfig.check.json",
    compilerOptions: { noUnusedLocals: false },
    include: ["*.ts"],
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  const { code, output } = await execute(["tsc", "-p", folder], { cwd: workspace.root });
  const wrongTypes =
    code === 0
      ? []
      : output
          .trim()
          .split("\n")
          .map((line) => named(line, samples));
  return [...wrongTypes, ...(await failures(folder, samples))];
}

function readmeSamples({ packages }: Workspace): readonly Sample[] {
  return packages.flatMap((found) => {
    const code = sampleOf(readText(found.path, "README.md") ?? "");
    return code === undefined
      ? []
      : [{ from: `${found.dir}/README.md`, name: shortName(found), code, runs: true }];
  });
}

function documentSamples({ root }: Workspace): readonly Sample[] {
  return globSync("apps/docs/**/*.md", { cwd: root }).flatMap((file) =>
    [...readFileSync(join(root, file), "utf8").matchAll(/^```ts\n([^]*?)\n```$/gm)].map(
      ([, code = ""], i) => ({
        from: file,
        name: `${file.replace(/\.md$/, "").replaceAll("/", "-")}-${i + 1}`,
        code,
        runs: false,
      }),
    ),
  );
}

async function failures(folder: string, samples: readonly Sample[]): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const { from, name } of samples.filter(({ runs }) => runs)) {
    const cwd = mkdtempSync(join(tmpdir(), "sample-"));
    const flags = ["--conditions=@chorus/source", "--disable-warning=ExperimentalWarning"];
    const program: [string, ...string[]] = [process.execPath, ...flags, join(folder, `${name}.ts`)];
    const { code, output } = await execute(program, { cwd, timeoutMs: RUN_TIMEOUT_MS });
    rmSync(cwd, { recursive: true, force: true });
    if (code !== 0) problems.push(`${from}: its sample ends with ${code}:\n${output.trim()}`);
  }
  return problems;
}

function named(line: string, samples: readonly Sample[]): string {
  const sample = samples.find(({ name }) => line.startsWith(`${FOLDER}/${name}.ts`));
  return sample ? `${sample.from}: sample ${line.slice(FOLDER.length + 1)}` : line;
}
