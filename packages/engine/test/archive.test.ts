import { gzipSync } from "node:zlib";
import { type Header, pack } from "tar-stream";
import { describe, expect, it } from "vitest";
import { bytesOf, setup, tarOf } from "./fixtures/setup.ts";

type Entry = Partial<Header> & { readonly name: string; readonly content?: string };

async function tar(entries: readonly Entry[]): Promise<Uint8Array> {
  const packer = pack({});
  for (const { content = "", ...header } of entries) packer.entry(header, content);
  packer.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of packer) chunks.push(chunk as Uint8Array);
  return new Uint8Array(Buffer.concat(chunks));
}

/** Runs a task whose source is these bytes. @returns its reason, and the files that reached the sandbox */
async function unpack(
  source: Uint8Array,
  options = {},
): Promise<{ reason: string | undefined; files: string[] }> {
  const run = setup({ inputs: { source }, scripts: { a: {} }, options });
  const { reason } = await run.execute({ commands: [{ run: "a" }] });
  return { reason, files: [...run.sandbox.data.keys()].sort() };
}

describe("inputs", () => {
  it("are unpacked from plain and gzip archives alike, with their modes", async () => {
    const plain = await tar([
      { name: "./d/", type: "directory" },
      { name: "./d/run", mode: 0o777, content: "x" },
      { name: "b" },
    ]);
    for (const bytes of [plain, new Uint8Array(gzipSync(plain))]) {
      const run = setup({ inputs: { source: bytes }, scripts: { a: {} } });
      expect(await run.execute({ commands: [{ run: "a" }] })).toMatchObject({ outcome: "succeeded" });
      expect([...run.sandbox.data.values()].map(({ path, mode }) => [path, mode])).toEqual([
        ["d/run", 0o755],
        ["b", 0o644],
      ]);
    }
  });

  it("keep links that stay inside, and take a hard link for a second file", async () => {
    const bytes = await tar([
      { name: "d/a", content: "x" },
      { name: "d/e/l", type: "symlink", linkname: "../a" },
      { name: "h", type: "link", linkname: "d/a" },
    ]);
    expect(await unpack(bytes)).toEqual({ reason: undefined, files: ["d/a", "h"] });
  });

  it.each([
    [{ name: "../evil" }, "leads out"],
    [{ name: "a/../../evil" }, "leads out"],
    [{ name: "/etc/passwd" }, "leads out"],
    [{ name: "a\\b" }, "unsafe name"],
    [{ name: "a\u0007b" }, "unsafe name"],
    [{ name: "a\u202Ebc" }, "unsafe name"],
    [{ name: "l", type: "symlink", linkname: "/etc/passwd" }, "link out of the archive"],
    [{ name: "d/l", type: "symlink", linkname: "../../x" }, "link out of the archive"],
    [{ name: "l", type: "link", linkname: "nothing" }, "hard link to nothing"],
    [{ name: "f", type: "fifo" }, "is a fifo"],
    [{ name: "b", type: "block-device" }, "is a block-device"],
  ] satisfies [Entry, string][])("are refused for %j", async (entry, problem) => {
    const { reason, files } = await unpack(await tar([{ name: "ok", content: "x" }, entry]));
    expect(reason).toMatch(/^input source: "/);
    expect(reason).toContain(problem);
    expect(files).toEqual([]);
  });

  it("are refused when one entry comes twice, or lies behind a link", async () => {
    expect((await unpack(await tar([{ name: "a" }, { name: "./a" }]))).reason).toContain("comes twice");
    const behind = await tar([{ name: "l", type: "symlink", linkname: "d" }, { name: "l/x" }]);
    expect((await unpack(behind)).reason).toContain("behind a file or a link");
  });

  it("are refused when the archive is cut off anywhere, or is none", async () => {
    const whole = await tarOf({ a: "x".repeat(700), b: "y" });
    for (const length of [0, 100, 512, 1000, 1536, 2048, whole.length - 1024, whole.length - 1])
      expect((await unpack(whole.subarray(0, length))).reason).toMatch(
        /^input source: is not a whole tar archive/,
      );
    expect((await unpack(bytesOf("no archive ".repeat(200)))).reason).toMatch(/not a whole tar archive/);
    const zipped = new Uint8Array(gzipSync(whole));
    expect((await unpack(zipped.subarray(0, zipped.length - 9))).reason).toMatch(/not a whole tar archive/);
  });

  it("are refused when they are too large, by what they say and by what they hold", async () => {
    const limits = { maxInputBytes: 1000, maxInputFiles: 3 };
    const large = await tarOf({ a: "x".repeat(600), b: "y".repeat(600) });
    expect((await unpack(large, limits)).reason).toBe(
      "input source: the inputs are larger than 1000 bytes unpacked",
    );
    const many = await tarOf({ a: "", b: "", c: "", d: "" });
    expect((await unpack(many, limits)).reason).toBe("input source: the inputs have more than 3 files");
    const announced = (await tar([{ name: "a", content: "x" }])).slice();
    announced.set(bytesOf("77777777777\0"), 124);
    fixChecksum(announced);
    expect((await unpack(announced)).reason).toMatch(/larger than 268435456 bytes/);
  });

  it("are refused early when they never end", async () => {
    const head = await tar([{ name: "x".repeat(300), content: "x" }]);
    // A long-name header that announces 8 GiB, which the parser would keep in memory.
    head.set(bytesOf("77777777777\0"), 124);
    fixChecksum(head);
    let read = 0;
    const source = (async function* () {
      yield head.subarray(0, 512);
      for (;;) {
        read += 1_048_576;
        yield new Uint8Array(1_048_576);
      }
    })();
    const limits = { maxInputBytes: 1_000_000, maxInputFiles: 10 };
    const { reason } = await setup({ inputs: { source }, options: limits }).execute({
      commands: [{ run: "a" }],
    });
    expect(reason).toMatch(/larger than 1000000 bytes unpacked|not a whole tar archive/);
    expect(read).toBeLessThan(40 * 1_048_576);
  });

  it("other than archives are single files, which a source cannot be", async () => {
    const run = setup({ inputs: { note: bytesOf("hi") }, scripts: { a: {} } });
    await run.execute({
      commands: [{ run: "a" }],
      inputs: [{ name: "note", address: "note", mediaType: "text/plain" }],
    });
    expect([...run.sandbox.input.keys()]).toEqual(["note/note"]);
    const source = await run.execute({
      inputs: [{ name: "source", address: "note", mediaType: "text/plain" }],
    });
    expect(source.reason).toBe("input source: must be a tar archive (application/x-tar), not text/plain");
    const name = await run.execute({ inputs: [{ name: "../x", address: "note", mediaType: "text/plain" }] });
    expect(name.reason).toBe('input "../x": is not a usable name');
  });
});

function fixChecksum(header: Uint8Array): void {
  header.fill(0x20, 148, 156);
  const sum = header.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  header.set(bytesOf(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
}
