import { execFileSync } from "node:child_process";
import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync, statSync, existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ChangeTracker, patchOf } from "../src/changes.ts";
import type { CollectedFile } from "../src/contract.ts";
import type { Tree } from "../src/tree.ts";
import { bytesOf } from "./fixtures/setup.ts";

type Files = Readonly<Record<string, string | Uint8Array>>;
const treeOf = (files: Files): Tree =>
  new Map(
    Object.entries(files).map(([path, content]) => [
      path,
      { type: "file", bytes: bytesOf(content), executable: false, mtime: new Date(0) } as const,
    ]),
  );

function diff(before: Files, after: Files, mode: (path: string) => number = () => 0o644): string {
  const tree = treeOf(before);
  const tracker = new ChangeTracker(tree);
  for (const [path, content] of Object.entries(after)) {
    const file: CollectedFile = { path, mode: mode(path), bytes: bytesOf(content) };
    if (tracker.differs(file)) tracker.keep(file);
  }
  return patchOf(tree, tracker.finish());
}

describe("the patch", () => {
  it("is what git applies to get from one tree to the other", () => {
    const line = fc.constantFrom("a\n", "b\n", "c\r\n", "  d\n", "e", "\n", "-x\n", "@@ -1 +1 @@\n");
    const content = fc.array(line, { maxLength: 12 }).map((lines) => lines.join(""));
    const path = fc.constantFrom("a.txt", "d/b c.txt", "ü.txt", 'q"uote', "z/y/x");
    const tree = fc.dictionary(path, content, { maxKeys: 5 });
    const directory = mkdtempSync(join(tmpdir(), "changes-"));
    try {
      fc.assert(
        fc.property(tree, tree, (before, after) => {
          const patch = diff(before, after);
          const root = mkdtempSync(join(directory, "t-"));
          write(root, before);
          if (patch === "") {
            expect(after).toEqual(before);
            return;
          }
          execFileSync("git", ["apply", "--whitespace=nowarn", "-"], { cwd: root, input: patch });
          for (const [name, text] of Object.entries(after))
            expect(readFileSync(join(root, name), "utf8")).toBe(text);
          for (const name of Object.keys(before)) expect(existsSync(join(root, name))).toBe(name in after);
        }),
        { numRuns: process.env["SLOW"] === undefined ? 40 : 1000 },
      );
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it("carries modes, and goes on where comparing would take too long", () => {
    const directory = mkdtempSync(join(tmpdir(), "changes-"));
    try {
      const before = { big: Array.from({ length: 30_000 }, (_, i) => `${i}\n`).join(""), run: "x\n" };
      const after = { big: Array.from({ length: 30_000 }, (_, i) => `${i * 7 + 1}\n`).join(""), run: "x\n" };
      write(directory, before);
      const patch = diff(before, after, (path) => (path === "run" ? 0o755 : 0o644));
      execFileSync("git", ["apply", "--whitespace=nowarn", "-"], { cwd: directory, input: patch });
      expect(readFileSync(join(directory, "big"), "utf8")).toBe(after.big);
      expect(statSync(join(directory, "run")).mode & 0o111).not.toBe(0);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it("notes binary files without their content, in sorted order whatever the order of arrival", () => {
    const after = { z: "1\n", b: new Uint8Array([0, 1, 2]), a: "1\n", c: new Uint8Array([0xff, 0xfe]) };
    const patch = diff({ b: "text\n" }, after);
    const names = Array.from(patch.matchAll(/^diff --git a\/(\S+)/gm), ([, name]) => name);
    expect(names).toEqual(["a", "b", "c", "z"]);
    expect(patch).toContain("Binary files a/b and b/b differ\n");
    expect(patch).toContain("Binary files /dev/null and b/c differ\n");
  });

  it("leaves out what tools make, unless the source had it", () => {
    const products = {
      "__pycache__/a.pyc": "x",
      "node_modules/a/i.js": "x",
      ".pytest_cache/v": "x",
      "sub/.git/HEAD": "x",
    };
    expect(diff({}, products)).toBe("");
    expect(diff({ "node_modules/a/i.js": "y" }, products)).toContain("node_modules/a/i.js");
  });
});

function write(root: string, files: Files): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), content);
  }
}
