import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { errorCode } from "@chorus/kernel";
import type { ConformanceCase } from "./tools.ts";
import { gather, shell, type TarInput, tarOf } from "./tools.ts";

const refused = (error: unknown): boolean => errorCode(error) === "sandbox/bad-archive";
const failed = (error: unknown): boolean => errorCode(error) === "sandbox/collect-failed";

const BAD_ARCHIVES: Readonly<Record<string, TarInput>> = {
  upward: { "a/../../evil": "x" },
  absolute: { "/evil": "x" },
  "control character": { "a\nb": "x" },
  device: { null: { type: "character-device" } },
  fifo: { pipe: { type: "fifo" } },
  "hard link": { a: "x", b: { type: "link", linkname: "/etc/passwd" } },
  "file through a link": { tmp: { type: "symlink", linkname: "/tmp" }, "tmp/evil": "x" },
  "file in a file": { a: "x", "a/b": "x" },
};

/** What goes in and what comes out. */
export const FILE_CASES: readonly ConformanceCase[] = [
  {
    name: "carries bytes, folders and modes in and out unchanged",
    async check(sandbox) {
      const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, i) => i % 256));
      await sandbox.put(
        "data",
        await tarOf({ "deep/er/raw": bytes, "run.sh": { content: "echo hi", mode: 0o755 }, empty: "" }),
      );
      await shell(sandbox, "cp -r deep run.sh empty /workspace/output/");
      for (const from of ["data", "output"] as const) {
        const { files, skipped } = await gather(sandbox, from);
        assert.deepEqual([...files.keys()].sort(), ["deep/er/raw", "empty", "run.sh"]);
        const raw = files.get("deep/er/raw");
        assert.ok(raw !== undefined && bytes.equals(raw.bytes));
        assert.equal(raw.sha256, createHash("sha256").update(bytes).digest("hex"));
        assert.deepEqual([raw.size, raw.mode], [70_000, 0o644]);
        assert.equal(files.get("run.sh")?.mode, 0o755);
        assert.deepEqual(skipped, []);
      }
    },
  },
  {
    name: "takes an archive in pieces",
    async check(sandbox) {
      const tar = await tarOf({ a: "1".repeat(5000), b: "2" });
      await sandbox.put(
        "input",
        (async function* () {
          for (let at = 0; at < tar.length; at += 700) yield tar.subarray(at, at + 700);
        })(),
      );
      assert.equal((await shell(sandbox, "wc -c </workspace/input/a")).stdout.trim(), "5000");
    },
  },
  {
    name: "keeps the input from being changed by any command",
    async check(sandbox) {
      await sandbox.put("input", await tarOf({ "source/file": "as it was" }));
      for (const attempt of [
        "echo x >source/file",
        "rm -rf source",
        "rm source/file",
        "mv source /tmp/source",
        "touch source/new",
        "chmod 777 source/file",
        "ln -s /workspace/input /workspace/data/in; touch /workspace/data/in/new",
        "cp /workspace/data/mine source/file",
      ])
        await shell(sandbox, `echo mine >/workspace/data/mine; cd /workspace/input; ${attempt}`);
      const { stdout } = await shell(sandbox, "cd /workspace/input; find . | sort; cat source/file");
      assert.equal(stdout, ".\n./source\n./source/file\nas it was");
    },
  },
  {
    name: "refuses archives with traps",
    async check(sandbox) {
      for (const [trap, entries] of Object.entries(BAD_ARCHIVES))
        await assert.rejects(sandbox.put("data", await tarOf(entries)), refused, trap);
      const whole = await tarOf({ a: "x".repeat(600), b: "y" });
      for (const length of [100, 700, 1536, whole.length - 1024])
        await assert.rejects(sandbox.put("data", whole.subarray(0, length)), refused, `cut at ${length}`);
      await assert.rejects(sandbox.put("data", Buffer.alloc(2048, "garbage!")), refused);
      assert.equal((await shell(sandbox, "ls /tmp /workspace/input")).stdout.includes("evil"), false);
    },
  },
  {
    name: "refuses an archive that does not fit",
    async check(sandbox) {
      const big = await tarOf({ big: new Uint8Array(20_000_000) });
      await assert.rejects(sandbox.put("input", big), refused);
    },
  },
  {
    name: "collects regular files only and tells what it left",
    async check(sandbox) {
      await shell(sandbox, "echo x >real; ln -s /etc/passwd link; ln -s real ln2; ln -s / root");
      const { files, skipped } = await gather(sandbox, "data");
      assert.deepEqual([...files.keys()], ["real"]);
      assert.deepEqual(
        skipped.toSorted((a, b) => (a.path < b.path ? -1 : 1)),
        [
          { path: "link", reason: "link" },
          { path: "ln2", reason: "link" },
          { path: "root", reason: "link" },
        ],
      );
    },
  },
  {
    name: "fails a collection beyond its limits, rather than shorten it",
    async check(sandbox) {
      await shell(sandbox, "mkdir -p a/b/c; echo 1234567890 >a/b/c/x; echo 1234567890 >y");
      const { files } = await gather(sandbox, "data", { maxBytes: 22, maxFiles: 5, maxDepth: 3 });
      assert.equal(files.size, 2);
      await assert.rejects(gather(sandbox, "data", { maxBytes: 21 }), failed);
      await assert.rejects(gather(sandbox, "data", { maxFiles: 4 }), failed);
      await assert.rejects(gather(sandbox, "data", { maxDepth: 2 }), failed);
    },
  },
  {
    name: "never collects two names that a file system may take for one",
    async check(sandbox) {
      await shell(sandbox, "echo 1 >Name; echo 2 >name");
      const { files, skipped } = await gather(sandbox, "data");
      assert.equal(files.size, 1);
      assert.deepEqual(
        skipped.map(({ reason }) => reason),
        ["name-collision"],
      );
    },
  },
];
