import { describe, test, vi } from "vitest";
import type { Sandbox } from "../src/contract.ts";
import { createSandbox } from "../src/sandbox.ts";
import { conformance } from "../src/testing/index.ts";
import { dockerSandbox, SMALL, withoutDocker } from "./fixtures/docker.ts";

// Containers and interpreters start slowly on a busy machine; nothing here depends on being quick.
vi.setConfig({ testTimeout: 120_000 });

interface Subject {
  readonly name: string;
  readonly skip: string | undefined;
  readonly make: () => Promise<Sandbox>;
  /** Cases that this engine cannot pass, each with the reason. They are run, and must fail. */
  readonly deviations: Readonly<Record<string, string>>;
}

const SUBJECTS: readonly Subject[] = [
  {
    name: "embedded",
    skip: undefined,
    make: () => createSandbox(SMALL, { engine: "embedded" }),
    deviations: {
      "says how a signal ended a program": "there are no processes, so nothing can be signalled",
      "hands output on while the command runs": "the interpreter gives its output at the end",
      "hands bytes on exactly, text or not": "the interpreter's output is text",
      "keeps what a command wrote before its deadline": "the files lie in the process that has to be killed",
    },
  },
  { name: "docker", skip: withoutDocker, make: () => dockerSandbox(), deviations: {} },
];

for (const { name, skip, make, deviations } of SUBJECTS)
  describe(skip === undefined ? name : `${name} (skipped: ${skip})`, { skip: skip !== undefined }, () => {
    for (const { name: promise, check } of conformance) {
      const reason = deviations[promise];
      const title = reason === undefined ? promise : `deviates: ${promise} (${reason})`;
      test(title, { fails: reason !== undefined }, async () => {
        await using sandbox = await make();
        await check(sandbox);
      });
    }
  });
