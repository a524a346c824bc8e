/** One thing to verify. It resolves with its problems, none when all is well. */
export interface Step {
  readonly name: string;
  /** Steps that must have passed before; otherwise this one is skipped. */
  readonly needs?: readonly string[];
  run(): Promise<readonly string[]> | readonly string[];
}

export interface Outcome {
  readonly name: string;
  readonly state: "passed" | "failed" | "skipped";
  readonly seconds: number;
  readonly problems: readonly string[];
}

/**
 * Runs the steps in their order, at most `width` at a time, and reports each as it ends. A step that fails
 * stops only those that need it, so that one run shows everything that is wrong.
 */
export async function runSteps(
  steps: readonly Step[],
  options: { readonly width: number; readonly onEnd: (outcome: Outcome) => void },
): Promise<readonly Outcome[]> {
  const started = new Map<string, Promise<Outcome>>();
  const free = gate(options.width);
  for (const step of steps) {
    const before = (step.needs ?? []).flatMap((name) => started.get(name) ?? []);
    started.set(
      step.name,
      Promise.all(before).then(async (outcomes) => {
        const blocked = outcomes.find(({ state }) => state !== "passed");
        const outcome = blocked ? skipped(step, blocked) : await free(() => timed(step));
        options.onEnd(outcome);
        return outcome;
      }),
    );
  }
  return Promise.all(started.values());
}

async function timed(step: Step): Promise<Outcome> {
  const from = performance.now();
  const problems = await Promise.resolve()
    .then(() => step.run())
    .catch((error: unknown) => [String(error instanceof Error ? error.stack : error)]);
  const seconds = (performance.now() - from) / 1000;
  return { name: step.name, state: problems.length > 0 ? "failed" : "passed", seconds, problems };
}

function skipped({ name }: Step, { name: cause }: Outcome): Outcome {
  return { name, state: "skipped", seconds: 0, problems: [`needs ${cause}, which did not pass`] };
}

/** At most `width` of the calls given to it run at once; the others wait in line. */
function gate(width: number): <T>(call: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (call) => {
    if (running >= width) await new Promise<void>((resume) => waiting.push(resume));
    else running++;
    try {
      return await call();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
}
