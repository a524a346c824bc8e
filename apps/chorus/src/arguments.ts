import { parseArgs } from "node:util";

/** What `chorus demo` is asked to do. */
export interface DemoArguments {
  /** The user's own project; without it a small one that ships with CHORUS. */
  readonly source?: string;
  /** What should be true when the task is done. */
  readonly task?: string;
  /** The command to run in the project. */
  readonly run?: string;
  /** Leave the mesh up until Ctrl-C. */
  readonly keep: boolean;
}

/** The command line is wrong; the message says how. */
export class UsageError extends Error {}

export const usage = `Usage: chorus demo [--source DIR] [--run "COMMAND"] [--task "GOAL"] [--keep]

Starts three agents on this machine, gives them one task, and shows its whole life.

  --source DIR   your own project (default: a small one with a failing test)
  --run COMMAND  what to run in it, in a sandbox without network (default: the project's own tests)
  --task GOAL    what should be true when it is done; for people and, once there is a model, for agents
  --keep         leave the agents running until Ctrl-C
  --help         this text
`;

/** @returns undefined when help is asked for. @throws UsageError */
export function parseArguments(args: readonly string[]): DemoArguments | undefined {
  const { values } = parse(args);
  if (values.help) return undefined;
  if (values.source === undefined && (values.run !== undefined || values.task !== undefined))
    throw new UsageError("--run and --task need --source DIR");
  for (const [name, value] of Object.entries(values))
    if (value === "") throw new UsageError(`--${name} must not be empty`);
  const { keep = false, source, task, run } = values;
  return {
    keep,
    ...(source === undefined ? {} : { source }),
    ...(task === undefined ? {} : { task }),
    ...(run === undefined ? {} : { run }),
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        source: { type: "string" },
        task: { type: "string" },
        run: { type: "string" },
        keep: { type: "boolean" },
        help: { type: "boolean" },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : "unknown arguments");
  }
}
