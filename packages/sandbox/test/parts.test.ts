import fc from "fast-check";
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { collection, type RawEntry } from "../src/collector.ts";
import { demultiplex } from "../src/docker/demux.ts";
import { containerOptions } from "../src/docker/profile.ts";
import { seccompProfile } from "../src/docker/seccomp.ts";
import { resolveSpec } from "../src/defaults.ts";
import { frame, frames } from "../src/embedded/frames.ts";
import { parseReply } from "../src/embedded/messages.ts";
import { askedInVain } from "../src/embedded/unsupported.ts";
import { createExecution } from "../src/execution.ts";
import { showName, splitName } from "../src/names.ts";
import { incoming, readTar, repack } from "../src/tar.ts";
import { tarOf } from "../src/testing/index.ts";

const numRuns = process.env["SLOW"] === "1" ? 100_000 : 300;

/** The bytes in pieces of the given sizes, over and over. */
async function* pieces(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

const sizes = fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 5 });

async function drain(source: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of source);
}

describe("the demultiplexer", () => {
  const chunks = fc.array(
    fc.record({ kind: fc.constantFrom(1, 2), bytes: fc.uint8Array({ maxLength: 500 }) }),
  );

  test("gives back what was multiplexed, however it is cut", async () => {
    await fc.assert(
      fc.asyncProperty(chunks, sizes, async (list, cut) => {
        const wire = Buffer.concat(
          list.flatMap(({ kind, bytes }) => {
            const header = Buffer.from([kind, 0, 0, 0, 0, 0, 0, 0]);
            header.writeUInt32BE(bytes.length, 4);
            return [header, bytes];
          }),
        );
        const got = { stdout: new Array<Uint8Array>(), stderr: new Array<Uint8Array>() };
        for await (const { stream, bytes } of demultiplex(pieces(wire, cut))) got[stream].push(bytes);
        for (const [name, kind] of [
          ["stdout", 1],
          ["stderr", 2],
        ] as const)
          expect(Buffer.concat(got[name])).toEqual(
            Buffer.concat(list.filter((one) => one.kind === kind).map(({ bytes }) => bytes)),
          );
      }),
      { numRuns },
    );
  });

  test("refuses what is not multiplexed", async () => {
    await expect(drain(demultiplex(pieces(Buffer.from("plain text output"), [4])))).rejects.toThrow(
      TypeError,
    );
  });
});

describe("an execution", () => {
  const chunk = { stream: "stdout", bytes: new Uint8Array(600_000) } as const;
  const verdict = { outcome: "exited", exitCode: 0, stdoutBytes: 0, stderrBytes: 0, durationMs: 0 } as const;

  test("makes its writer wait for the reader beyond a megabyte", async () => {
    let written = 0;
    const execution = createExecution(async (sink) => {
      for (; written < 10; written++) await sink.write(chunk);
      return verdict;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(written).toBe(1);
    let read = 0;
    for await (const _ of execution) {
      read++;
      expect(written).toBeLessThanOrEqual(read + 2);
    }
    expect(read).toBe(10);
    expect(await execution.result).toBe(verdict);
  });

  test("lets its writer run on when the reader leaves, and is read once", async () => {
    const execution = createExecution(async (sink) => {
      for (let i = 0; i < 10; i++) await sink.write(chunk);
      return verdict;
    });
    for await (const _ of execution) break;
    expect(await execution.result).toBe(verdict);
    expect(() => execution[Symbol.asyncIterator]()).toThrow(TypeError);
  });
});

describe("names", () => {
  test("what passes is relative, printable, and means the same everywhere", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), (name) => {
        const parts = splitName(name);
        expect(splitName(showName(name).replaceAll("\\", "_"))?.join("/") ?? "").not.toMatch(/\p{Cc}/u);
        if (parts === undefined) return;
        expect(parts).not.toContain("..");
        expect(parts.join("/")).not.toMatch(/^\/|\\|\p{Cc}|[\u202a-\u202e\u2066-\u2069]/u);
      }),
      { numRuns: numRuns * 3 },
    );
  });

  test.each([
    "/abs",
    "a/../b",
    "..",
    "a\u0000b",
    "a\\b",
    "a\u202eb",
    "\ufeffa",
    "x".repeat(256),
    "\u001b[31m",
    "a\ufffd",
  ])("%j does not pass", (name) => expect(splitName(name)).toBeUndefined());

  test.each([
    ["./a//b/", ["a", "b"]],
    ["...", ["..."]],
    ["-rf", ["-rf"]],
    ["", []],
    ["./", []],
    ["日本/é", ["日本", "é"]],
  ])("%j passes as %j", (name, parts) => expect(splitName(name)).toEqual(parts));
});

describe("the collector", () => {
  const entry = (name: string, more: Partial<RawEntry> = {}): RawEntry => ({
    name,
    type: "file",
    mode: 0o644,
    size: 1,
    body: pieces(Buffer.from("x"), [1]),
    ...more,
  });
  const collect = (entries: readonly RawEntry[], limits = {}) => {
    const list = collection(async function* () {
      yield* entries;
    }, limits);
    return { list, done: Array.fromAsync(list) };
  };

  test("hashes what it read and hands on nothing but files", async () => {
    const { list, done } = collect([
      entry(""),
      entry("./"),
      entry("folder", { type: "directory" }),
      entry("a"),
      entry("b", { type: "link" }),
      entry("c", { type: "special" }),
      entry("../d"),
      entry(".."),
      entry("A"),
    ]);
    const sha256 = createHash("sha256").update("x").digest("hex");
    expect((await done).map((one) => [one.path, one.sha256])).toEqual([["a", sha256]]);
    expect(list.skipped.map(({ path, reason }) => [path, reason])).toEqual([
      ["b", "link"],
      ["c", "special-file"],
      ["../d", "unsafe-name"],
      ["..", "unsafe-name"],
      ["A", "name-collision"],
    ]);
  });

  test("trusts no size: neither a claim beyond the limit nor one that the content belies", async () => {
    const failed = { code: "sandbox/collect-failed" };
    await expect(collect([entry("a", { size: 2 ** 50 })]).done).rejects.toMatchObject(failed);
    await expect(collect([entry("a", { size: 5 })]).done).rejects.toMatchObject(failed);
    const endless = (async function* () {
      for (;;) yield new Uint8Array(1000);
    })();
    await expect(collect([entry("a", { body: endless })], { maxBytes: 50_000 }).done).rejects.toMatchObject(
      failed,
    );
  });
});

describe("archives", () => {
  const content = fc.uint8Array({ maxLength: 2000 });

  test("come through a repacking with contents unchanged, owners and modes ours", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), content),
        sizes,
        async (files, cut) => {
          const tar = await tarOf(files);
          const fresh = repack(incoming(pieces(tar, cut)), { uid: 4711, readOnly: true });
          const got: Record<string, Uint8Array> = {};
          for await (const { header, body } of readTar(fresh)) {
            expect([header.uid, header.gid, header.mode]).toEqual([4711, 4711, 0o444]);
            got[header.name] = new Uint8Array(Buffer.concat(await Array.fromAsync(body)));
          }
          expect(got).toEqual({ ...files });
        },
      ),
      { numRuns },
    );
  });

  test("are refused, never misread, when any part is missing", async () => {
    const tar = await tarOf({ a: "x".repeat(700), "b/c": "y" });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: tar.length - 513 }), sizes, async (length, cut) => {
        await expect(drain(incoming(pieces(tar.subarray(0, length), cut)))).rejects.toMatchObject({
          code: "sandbox/bad-archive",
        });
      }),
      { numRuns },
    );
  });

  test("are read or refused with a bound, whatever they hold", async () => {
    const tar = await tarOf({ "a/b": "x".repeat(700), link: { type: "symlink", linkname: "a" }, c: "y" });
    const damage = fc.array(fc.tuple(fc.nat(tar.length - 1), fc.nat(255)), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(damage, async (changes) => {
        const bad = tar.slice();
        for (const [at, value] of changes) bad[at] = value;
        try {
          for await (const { path } of incoming(bad)) expect(splitName(path)).toBeDefined();
        } catch (error) {
          expect(error).toMatchObject({ code: "sandbox/bad-archive" });
        }
      }),
      { numRuns },
    );
  });
});

describe("the talk with the child", () => {
  test("frames arrive whole, however they are cut", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 3000 })), sizes, async (bodies, cut) => {
        const wire = Buffer.concat(bodies.flatMap((body, n) => frame({ n }, [body])));
        const got = await Array.fromAsync(frames(pieces(wire, cut), { maxBodyBytes: 3000 }));
        expect(got.map(({ header }) => header)).toEqual(bodies.map((_, n) => ({ n })));
        expect(got.map(({ body }) => [...body])).toEqual(bodies.map((body) => [...body]));
      }),
      { numRuns },
    );
  });

  test("a frame beyond the bound ends it", async () => {
    const wire = Buffer.concat(frame({}, [new Uint8Array(101)]));
    await expect(drain(frames(pieces(wire, [50]), { maxBodyBytes: 100 }))).rejects.toThrow(RangeError);
  });

  test("only well-formed replies are understood", () => {
    const good = { type: "done", exitCode: 0, stdoutBytes: 0, stderrBytes: 0, changed: [], removed: [] };
    expect(parseReply(good)).toEqual(good);
    for (const bad of [
      null,
      [],
      "done",
      { type: "other" },
      { ...good, exitCode: -1 },
      { ...good, stdoutBytes: "0" },
      { ...good, changed: [{ path: 1 }] },
      { ...good, changed: [{ path: "/a", type: "directory", mode: 0, size: 9 }] },
      { ...good, removed: [1] },
    ])
      expect(parseReply(bad)).toBeUndefined();
  });
});

describe("what the embedded engine lacks", () => {
  test.each([
    ["git", "bash: git: command not found\n", "git"],
    ["/usr/bin/git", "bash: /usr/bin/git: command not found\n", "git"],
    ["sh", "bash: npm: command not found\n", "npm"],
    ["sh", "sh: line 3: gcc: command not found\n", "gcc"],
    ["sh", "bash: /usr/bin/make: No such file or directory\n", "make"],
    ["python3", "ImportError: No module named pip\n", "Python's pip"],
    ["python3", "ModuleNotFoundError: No module named '_sqlite3'\n", "Python's sqlite3"],
    ["python3", "OSError: [Errno 138] emscripten does not support processes.\n", "processes in Python"],
    ["sh", "bash: my-own-tool: command not found\n", undefined],
    ["python3", "ModuleNotFoundError: No module named 'mine'\n", undefined],
    ["sh", "cat: git: No such file\n", undefined],
    ["git", "", undefined],
  ])("%s with %j asked for %s", (program, stderr, wanted) => {
    expect(askedInVain(program, stderr)).toBe(wanted);
  });
});

describe("the hardened profile", () => {
  const plan = {
    id: "x",
    imageId: "sha256:0",
    imageEnv: ["PATH=/bin:relative", "LD_PRELOAD=/evil.so", "GOROOT=/go"],
    users: { holder: 10_000, task: 10_001 },
    spec: resolveSpec({}),
    labels: {},
    seccomp: seccompProfile("amd64"),
  };

  test("shuts every door that it can name", () => {
    const { HostConfig: host, ...container } = containerOptions(plan);
    expect(host).toMatchObject({
      NetworkMode: "none",
      ReadonlyRootfs: true,
      CapDrop: ["ALL"],
      Privileged: false,
      AutoRemove: true,
      IpcMode: "private",
      CgroupnsMode: "private",
      LogConfig: { Type: "none" },
      Memory: plan.spec.memoryBytes,
      MemorySwap: plan.spec.memoryBytes,
    });
    expect(host?.Binds).toBeUndefined();
    expect(host?.Devices).toBeUndefined();
    expect(container).toMatchObject({
      User: "10000:10000",
      Entrypoint: ["cat"],
      StdinOnce: true,
      Tty: false,
    });
    expect(container.Env).toEqual([
      "PATH",
      "LD_PRELOAD",
      "GOROOT",
      "LANG=C.UTF-8",
      "GOROOT=/go",
      "PATH=/bin",
      "HOME=/tmp",
      "TMPDIR=/tmp",
    ]);
  });

  test("its system calls are an allow-list without doubles and without the dangerous ones", () => {
    const profile = JSON.parse(seccompProfile("amd64") ?? "");
    expect(profile.defaultAction).toBe("SCMP_ACT_ERRNO");
    expect(profile.architectures).toEqual(["SCMP_ARCH_X86_64"]);
    const names: string[] = profile.syscalls[0].names;
    expect(new Set(names).size).toBe(names.length);
    for (const name of "ptrace mount bpf unshare setns clone clone3 socket socketcall io_uring_setup keyctl userfaultfd".split(
      " ",
    ))
      expect(names).not.toContain(name);
    expect(seccompProfile("riscv64")).toBeUndefined();
  });
});
