import { basename, join, resolve } from "node:path";
import { archiveFolder, type FolderArchive } from "./archive.ts";
import type { DemoArguments } from "./arguments.ts";
import { detectLanguage } from "@chorus/sandbox";

/** What the demo gives to the mesh. */
export interface Job {
  readonly name: string;
  readonly goal: string;
  /** Chooses the image where there are images. */
  readonly language: string;
  readonly source: FolderArchive;
  /** Files that the task puts over the source. */
  readonly change?: FolderArchive;
  readonly commands?: readonly { readonly run: string; readonly allowFailure?: boolean }[];
}

/** What could be run, before it is known where. */
export interface JobOffer {
  /** Languages that this job can be done in, the most wanted first. */
  readonly languages: readonly string[];
  prepare(language: string): Promise<Job>;
}

const examples = join(import.meta.dirname, "..", "examples");
const tests: Readonly<Record<string, string>> = {
  python: "python3 -m unittest -v",
  typescript: "node --test",
};

/** The user's project when one is named, else the example that ships with CHORUS. */
export async function offerJob(args: DemoArguments): Promise<JobOffer> {
  if (args.source === undefined) return { languages: ["typescript", "python"], prepare: exampleJob };
  const folder = resolve(args.source);
  const source = await archiveFolder(folder);
  const language = detectLanguage([...source.files])[0]?.language ?? "shell";
  const run = args.run ?? undefined;
  const name = slug(basename(folder));
  const goal = args.task ?? (run === undefined ? `run the tests of ${name}` : `run: ${run}`);
  const commands = run === undefined ? undefined : [{ run }];
  const job = { name, goal, source, ...(commands === undefined ? {} : { commands }) };
  // A command of the user's own may need nothing but a shell; the project's own tests need its language.
  const languages = commands === undefined ? [language] : [language, "shell"];
  return { languages, prepare: async (chosen) => ({ ...job, language: chosen }) };
}

async function exampleJob(language: string): Promise<Job> {
  const test = tests[language] ?? "python3 -m unittest -v";
  const folder = join(examples, language in tests ? language : "python");
  return {
    name: "fix-rounding",
    language,
    goal: "Half a cent must be rounded up: apply the change and show that all tests pass.",
    source: await archiveFolder(join(folder, "project")),
    change: await archiveFolder(join(folder, "change")),
    commands: [
      { run: test, allowFailure: true },
      { run: "cp -R /workspace/input/change/. ." },
      { run: test },
    ],
  };
}

/** A UCXL name from a folder's name. */
function slug(text: string): string {
  const clean = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, "-")
    .slice(0, 40);
  return clean.replaceAll(/^[^a-z0-9]+|[^a-z0-9]+$/g, "") || "project";
}
