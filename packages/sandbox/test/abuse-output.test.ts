import { describe, expect, test, vi } from "vitest";
import type { Sandbox } from "../src/contract.ts";
import { gather, run, shell, tarOf } from "../src/testing/index.ts";
import { dockerSandbox, withoutDocker } from "./fixtures/docker.ts";

// Containers and interpreters start slowly on a busy machine; nothing here depends on being quick.
vi.setConfig({ testTimeout: 120_000 });

const python = (sandbox: Sandbox, code: string) =>
  run(sandbox, ["python3", "-c", code], { timeoutMs: 20_000, cwd: "/workspace/output" });

describe.skipIf(withoutDocker !== undefined)(`what comes out (${withoutDocker ?? "docker"})`, () => {
  test("links, pipes and sockets stay where they are", async () => {
    await using sandbox = await dockerSandbox();
    await sandbox.put("input", await tarOf({ secret: "input" }));
    const { stdout } = await python(
      sandbox,
      `
import os, socket
os.symlink('/etc/passwd', 'absolute'); os.symlink('../../../etc/passwd', 'upward'); os.symlink('/', 'folder')
open('real', 'w').write('x'); os.link('real', 'second'); os.mkfifo('pipe')
socket.socket(socket.AF_UNIX).bind('socket')
try: os.link('/workspace/input/secret', 'stolen'); print('LINKED')
except OSError: pass`,
    );
    expect(stdout).toBe("");
    const { files, skipped } = await gather(sandbox, "output");
    expect(files.size).toBe(1);
    expect([...files.values()][0]?.size).toBe(1);
    const reasons = Object.fromEntries(skipped.map(({ path, reason }) => [path, reason]));
    expect(reasons).toMatchObject({ absolute: "link", upward: "link", folder: "link", pipe: "special-file" });
    // Of two names for one file the first in the archive carries the content.
    expect(Object.values(reasons).filter((reason) => reason === "link")).toHaveLength(4);
  });

  test("names that lie are left behind, and told in a form that can be shown", async () => {
    await using sandbox = await dockerSandbox();
    await python(
      sandbox,
      String.raw`
import os
for name in [b'new\nline', b'\x1b]0;title\x07', b'bad\xff\xfe', 'gnp\u202etxt.exe'.encode(), b'back\\slash', b'-rf', b' ', b'x' * 255, 'caf\u00e9'.encode(), 'cafe\u0301'.encode(), b'CON']:
    open(name, 'w').write('x')`,
    );
    const { files, skipped } = await gather(sandbox, "output");
    expect([...files.keys()].filter((name) => !name.startsWith("caf")).sort()).toEqual(
      [" ", "-rf", "CON", "x".repeat(255)].sort(),
    );
    expect(files.size).toBe(5);
    const reasons = skipped.map(({ reason }) => reason).sort();
    expect(reasons).toEqual(["name-collision", ...Array.from({ length: 5 }, () => "unsafe-name")]);
    for (const { path } of skipped) expect(path).not.toMatch(/[\p{Cc}\p{Cf}\ufffd]/u);
  });

  test("special mode bits do not come along", async () => {
    await using sandbox = await dockerSandbox();
    await shell(sandbox, "cd /workspace/output; echo x >a; chmod 6777 a; echo x >b; chmod 000 b");
    const { files } = await gather(sandbox, "output");
    expect([files.get("a")?.mode, files.get("b")?.mode]).toEqual([0o755, 0o644]);
  });

  test("a tree too deep to archive fails instead of losing its end", async () => {
    await using sandbox = await dockerSandbox();
    await python(
      sandbox,
      "import os\nfor _ in range(400):\n  os.mkdir('d' * 20); os.chdir('d' * 20)\nopen('end', 'w').write('x')",
    );
    await expect(gather(sandbox, "output", { maxDepth: 1_000_000 })).rejects.toMatchObject({
      code: "sandbox/collect-failed",
    });
  });

  test("a tree that changes all the time is still when it is read", async () => {
    await using sandbox = await dockerSandbox();
    const churn = "i=0; while :; do i=$((i+1)); echo $i >f$((i%20)); mkdir -p d; rmdir d; done";
    await shell(
      sandbox,
      `cd /workspace/output; (${churn}) >/dev/null 2>&1 & while [ ! -s /workspace/output/f9 ]; do :; done`,
    );
    const first = await gather(sandbox, "output");
    const second = await gather(sandbox, "output");
    expect(first.files.size).toBeGreaterThan(5);
    const digests = ({ files }: typeof first) =>
      [...files.values()].map(({ path, sha256 }) => [path, sha256]);
    expect(digests(second)).toEqual(digests(first));
  });

  test("nothing that looks like a command is run on the way out", async () => {
    await using sandbox = await dockerSandbox();
    await shell(
      sandbox,
      "cd /workspace/output; mkdir .git; printf '[core]\\n fsmonitor = touch /tmp/owned\\n' >.git/config",
    );
    const { files } = await gather(sandbox, "output");
    expect([...files.keys()]).toEqual([".git/config"]);
  });

  test("a collection in progress can be cancelled", async () => {
    await using sandbox = await dockerSandbox();
    await shell(sandbox, "cd /workspace/output; echo 1 >a; echo 2 >b");
    const cancel = new AbortController();
    const collecting = (async () => {
      for await (const _ of sandbox.collect("output", { signal: cancel.signal }))
        cancel.abort(new Error("enough"));
    })();
    await expect(collecting).rejects.toThrow("enough");
    expect((await gather(sandbox, "output")).files.size).toBe(2);
  });
});
