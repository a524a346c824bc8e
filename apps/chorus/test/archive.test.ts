import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { archiveFolder } from "../src/archive.ts";

function folder(): Disposable & { path: string; add: (name: string, content: string) => void } {
  const path = mkdtempSync(join(tmpdir(), "chorus-archive-"));
  return {
    path,
    add(name, content) {
      mkdirSync(join(path, name, ".."), { recursive: true });
      writeFileSync(join(path, name), content);
    },
    [Symbol.dispose]: () => rmSync(path, { recursive: true }),
  };
}

describe("archiveFolder", () => {
  it("packs files in order and leaves out what is made or private to the machine", async () => {
    using project = folder();
    for (const name of ["b.txt", "a/x.txt", ".git/config", "node_modules/m/i.js", "a/__pycache__/x.pyc"])
      project.add(name, name);
    symlinkSync("b.txt", join(project.path, "link"));
    const { files, bytes } = await archiveFolder(project.path);
    expect(files).toEqual(["a/x.txt", "b.txt", "link"]);
    expect(bytes).toBe("a/x.txt".length + "b.txt".length);
  });
  it("gives equal bytes for equal folders", async () => {
    using one = folder();
    using two = folder();
    for (const name of ["x", "y/z"]) for (const project of [one, two]) project.add(name, name);
    expect(await archiveFolder(one.path)).toEqual(await archiveFolder(two.path));
  });
  it("leaves out a file that holds a secret, and names it", async () => {
    using project = folder();
    project.add("app.py", "print('hello')");
    project.add("config/.env", `KEY=${["AKIA", "Q3EGZ7K4XWNVB2TD"].join("")}`);
    const { files, heldBack, tar } = await archiveFolder(project.path);
    expect(files).toEqual(["app.py"]);
    expect(heldBack).toEqual([{ name: "config/.env", reason: "a secret: aws-access-key-id" }]);
    expect(Buffer.from(tar).includes("Q3EGZ7K4XWNVB2TD")).toBe(false);
  });
  it("leaves out links that lead outside and names that do not travel, and keeps empty folders", async () => {
    using project = folder();
    project.add("a/file", "x");
    project.add("bad\nname", "x");
    mkdirSync(join(project.path, "empty"));
    symlinkSync("/etc/passwd", join(project.path, "absolute"));
    symlinkSync("../../outside", join(project.path, "a/up"));
    symlinkSync("../a/file", join(project.path, "a/inside"));
    const { files, heldBack, tar } = await archiveFolder(project.path);
    expect(files).toEqual(["a/file", "a/inside"]);
    expect(heldBack.map(({ name }) => name)).toEqual(["a/up", "absolute", "bad\nname"]);
    expect(Buffer.from(tar).includes("empty")).toBe(true);
  });
  it("follows a link to the folder itself", async () => {
    using project = folder();
    using place = folder();
    project.add("x", "x");
    symlinkSync(project.path, join(place.path, "link"));
    expect((await archiveFolder(join(place.path, "link"))).files).toEqual(["x"]);
  });
  it("refuses a folder that is missing, a file, empty, or 10 GB, without reading it", async () => {
    using project = folder();
    await expect(archiveFolder(project.path)).rejects.toThrow("has no files");
    await expect(archiveFolder(join(project.path, "none"))).rejects.toThrow("there is no folder");
    project.add("big", "");
    truncateSync(join(project.path, "big"), 10 * 2 ** 30);
    await expect(archiveFolder(join(project.path, "big"))).rejects.toThrow("is not a folder");
    await expect(archiveFolder(project.path)).rejects.toThrow("holds more than 200 MB");
  });
});
