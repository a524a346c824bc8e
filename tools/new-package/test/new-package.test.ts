import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { execute } from "../../checks/process.ts";
import { renderPackage, withDependency, withRow } from "../render.ts";

const repository = join(import.meta.dirname, "../../..");
mkdirSync(join(repository, "dist"), { recursive: true });
const root = mkdtempSync(join(repository, "dist/new-package-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const wanted = { name: "work-queue", layer: "domain", description: "Hands out work in turn" } as const;

it("makes a package that type-checks and whose tests pass", async () => {
  const folder = join(root, "packages/work-queue");
  for (const [file, text] of renderPackage(wanted)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
  for (const file of ["tsconfig.base.json", "tsconfig.check.json", "vitest.config.ts"])
    cpSync(join(repository, file), join(root, file));
  mkdirSync(join(root, "apps"));
  mkdirSync(join(root, "tools"));
  cpSync(join(repository, "tools/closing-line.ts"), join(root, "tools/closing-line.ts"));
  symlinkSync(join(repository, "tools/tsup.base.ts"), join(root, "tools/tsup.base.ts"));
  expect(await execute(["tsc", "-p", folder], { cwd: root })).toEqual({ code: 0, output: "" });
  const { output } = await execute(["vitest", "run"], { cwd: root });
  expect(output.trimEnd().split("\n").at(-1)).toBe("tests: 3 passed, 0 failed, 0 skipped");
});

it("names everything after the package and leaves no word of the template", () => {
  const files = [...renderPackage(wanted)];
  expect(files.map(([file]) => file)).toContain("src/work-queue.ts");
  expect(files.flatMap(([file, text]) => (/[Ll]antern|DESCRIPTION/.test(file + text) ? [file] : []))).toEqual(
    [],
  );
  const index = files.find(([file]) => file === "src/index.ts")?.[1];
  expect(index).toContain("export { workQueue } from");
  expect(index).toContain("WorkQueueOptions");
});

it("adds the package to the root's dependencies, in order", () => {
  const before = JSON.stringify({
    name: "root",
    devDependencies: { "@chorus/kernel": "workspace:^", zod: "4" },
  });
  const after: { devDependencies: Record<string, string> } = JSON.parse(withDependency(before, wanted));
  expect(Object.keys(after.devDependencies)).toEqual(["@chorus/kernel", "@chorus/work-queue", "zod"]);
});

it("adds a row below the last package of the README's table", () => {
  const readme =
    "| package | what | when |\n|---|---|---|\n| [kernel](packages/kernel/README.md) | names | always |\n\nEnd.\n";
  expect(withRow(readme, wanted).split("\n")[3]).toBe(
    "| [work-queue](packages/work-queue/README.md) | Hands out work in turn | – |",
  );
});
