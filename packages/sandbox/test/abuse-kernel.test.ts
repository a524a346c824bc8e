import { describe, expect, test, vi } from "vitest";
import type { Sandbox } from "../src/contract.ts";
import { run, shell } from "../src/testing/index.ts";
import { dockerSandbox, withoutDocker } from "./fixtures/docker.ts";

// Containers and interpreters start slowly on a busy machine; nothing here depends on being quick.
vi.setConfig({ testTimeout: 120_000 });

const python = (sandbox: Sandbox, code: string) =>
  run(sandbox, ["python3", "-c", code], { timeoutMs: 20_000 });

/** System calls that change the world or look into others, by their x86-64 numbers, with harmless arguments. */
const FORBIDDEN: Readonly<Record<string, readonly number[]>> = {
  ptrace: [101, 16, 1, 0, 0],
  syslog: [103, 3, 0, 0],
  personality: [135, 0x0040000],
  pivot_root: [155, 0, 0],
  chroot: [161, 0],
  acct: [163, 0],
  settimeofday: [164, 0, 0],
  mount: [165, 0, 0, 0, 0, 0],
  umount2: [166, 0, 0],
  swapon: [167, 0, 0],
  reboot: [169, 0, 0, 0, 0],
  iopl: [172, 3],
  init_module: [175, 0, 0, 0],
  quotactl: [179, 0, 0, 0, 0],
  add_key: [248, 0, 0, 0, 0, 0],
  request_key: [249, 0, 0, 0, 0],
  keyctl: [250, 0, 0, 0, 0, 0],
  kexec_load: [246, 0, 0, 0, 0],
  unshare_user: [272, 0x10000000],
  unshare_mount: [272, 0x00020000],
  perf_event_open: [298, 0, 0, 0, 0, 0],
  open_by_handle_at: [304, 0, 0, 0],
  setns: [308, 0, 0],
  process_vm_readv: [310, 1, 0, 0, 0, 0, 0],
  kcmp: [312, 1, 1, 0, 0, 0],
  bpf: [321, 0, 0, 0],
  userfaultfd: [323, 0],
  io_uring_setup: [425, 1, 0],
  open_tree: [428, 0, 0, 0],
  move_mount: [429, 0, 0, 0, 0, 0],
  fsopen: [430, 0, 0],
  pidfd_getfd: [438, 0, 0, 0],
  clone_new_user: [56, 0x10000011, 0, 0, 0, 0],
};

const SYSCALLS = (table: object) => `
import ctypes, errno, json
libc = ctypes.CDLL(None, use_errno=True)
out = {}
for name, args in json.loads('${JSON.stringify(table)}').items():
    ctypes.set_errno(0)
    r = libc.syscall(*[ctypes.c_long(a) for a in args])
    if r == 0 and name.startswith('clone'): import os; os._exit(0)
    out[name] = errno.errorcode.get(ctypes.get_errno(), '0') if r < 0 else 'DONE'
print(json.dumps(out))`;

describe.skipIf(withoutDocker !== undefined)(`kernel and network (${withoutDocker ?? "docker"})`, () => {
  test("there is no network but the own loopback, and no name is resolved", async () => {
    await using sandbox = await dockerSandbox();
    const { stdout } = await python(
      sandbox,
      `
import socket, os
print(sorted(os.listdir('/sys/class/net')))
for target in [('169.254.169.254', 80), ('172.17.0.1', 22), ('192.0.2.1', 80), ('10.0.0.1', 53)]:
    try: socket.create_connection(target, 1); print('CONNECTED', target)
    except OSError as e: print(e.strerror)
try: socket.getaddrinfo('example.com', 80); print('RESOLVED')
except OSError as e: print('no name')
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
try: s.sendto(b'x', ('192.0.2.1', 53)); print('SENT')
except OSError as e: print(e.strerror)`,
    );
    expect(stdout.split("\n")).toEqual([
      "['lo']",
      ...Array.from({ length: 4 }, () => "Network is unreachable"),
      "no name",
      "Network is unreachable",
      "",
    ]);
  });

  test("only the plain socket families open", async () => {
    await using sandbox = await dockerSandbox();
    const { stdout } = await python(
      sandbox,
      `
import socket
for f, t, p in [(1,1,0),(2,1,0),(10,1,0),(16,3,0),(16,3,9),(17,3,0),(2,3,1),(21,5,0),(31,3,1),(38,5,0),(40,1,0),(44,3,0)]:
    try: socket.socket(f, t, p).close(); print(f, t, p, 'open')
    except OSError as e: print(f, t, p, e.strerror)`,
    );
    const open = stdout.split("\n").filter((line) => line.endsWith("open"));
    expect(open).toEqual(["1 1 0 open", "2 1 0 open", "10 1 0 open", "16 3 0 open"]);
  });

  test.skipIf(process.arch !== "x64")("system calls beyond the allow-list are refused", async () => {
    await using sandbox = await dockerSandbox();
    const { stdout, stderr } = await python(sandbox, SYSCALLS(FORBIDDEN));
    expect(stderr).toBe("");
    const refused = Object.fromEntries(Object.keys(FORBIDDEN).map((name) => [name, "EPERM"]));
    expect(JSON.parse(stdout)).toEqual(refused);
    const clone3 = await python(sandbox, SYSCALLS({ clone3: [435, 0, 0] }));
    expect(JSON.parse(clone3.stdout)).toEqual({ clone3: "ENOSYS" });
  });

  test("ordinary programs need nothing beyond it", async () => {
    await using sandbox = await dockerSandbox();
    const { stdout, stderr } = await python(
      sandbox,
      `
import asyncio, mmap, multiprocessing, socket, sqlite3, subprocess, tempfile, threading
print(subprocess.run(['sh', '-c', 'echo sub'], capture_output=True, text=True).stdout.strip())
with multiprocessing.Pool(2) as pool: print(pool.map(abs, [-1, -2]))
t = threading.Thread(target=print, args=('thread',)); t.start(); t.join()
print(asyncio.run(asyncio.sleep(0, 'async')))
print(sqlite3.connect(':memory:').execute('select 1').fetchone())
a, b = socket.socketpair(); a.send(b'pair'); print(b.recv(4))
s = socket.create_server(('127.0.0.1', 0)); print(socket.create_connection(s.getsockname()) is not None)
print(len(mmap.mmap(-1, 4096)), tempfile.NamedTemporaryFile().name.startswith('/tmp/'))`,
    );
    expect(stderr).toBe("");
    expect(stdout).toBe("sub\n[1, 2]\nthread\nasync\n(1,)\nb'pair'\nTrue\n4096 True\n");
  });

  test("the task has no privilege and no way to one", async () => {
    await using sandbox = await dockerSandbox();
    const { stdout } = await shell(
      sandbox,
      "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status; su -c id 2>/dev/null; id -u",
    );
    const lines = Object.fromEntries(stdout.split("\n").map((line) => line.split(/:\s*/)));
    for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])
      expect([set, lines[set]]).toEqual([set, "0000000000000000"]);
    expect(lines).toMatchObject({ NoNewPrivs: "1", Seccomp: "2" });
    expect(Number(stdout.trim().split("\n").at(-1))).toBeGreaterThanOrEqual(10_000);
    const gain = await python(
      sandbox,
      "import os\nfor f in (os.setuid, os.setgid):\n  try: f(0); print('ROOT')\n  except OSError as e: print(e.strerror)\ntry: os.mknod('/tmp/d', 0o60600, os.makedev(8, 0)); print('DEVICE')\nexcept OSError as e: print(e.strerror)",
    );
    expect(gain.stdout).toBe("Operation not permitted\n".repeat(3));
  });

  test("the host is hidden where it can be", async () => {
    await using sandbox = await dockerSandbox();
    const { stdout } = await shell(
      sandbox,
      [
        "cat /proc/cmdline /proc/version /proc/kallsyms /proc/modules /proc/keys /proc/interrupts",
        "ls /sys/firmware /sys/block",
        "ls /var/run/docker.sock /run/containerd 2>/dev/null",
        "cat /etc/resolv.conf | grep -v '^#'; hostname",
        "cut -d: -f3 /proc/self/cgroup | sort -u",
        "ls /dev",
      ].join("; "),
    );
    const lines = stdout
      .replaceAll(/\/sys\/\w+:\n\n?/g, "")
      .trim()
      .split("\n");
    const [nameserver, hostname, group, ...devices] = lines;
    expect([nameserver, hostname, group]).toEqual(["nameserver 127.0.0.1", "sandbox", "/"]);
    expect(devices.filter((name) => /sd|vd|nvme|loop|kvm|mem$|kmsg|fuse/.test(name))).toEqual([]);
  });

  test("the environment holds what it should and nothing else", async () => {
    process.env["CHORUS_ABUSE_SECRET"] = "must-not-leak";
    try {
      await using sandbox = await dockerSandbox({ env: { OWN: "1" } });
      const { stdout } = await run(sandbox, ["python3", "-c", "import os; print(sorted(os.environ))"]);
      expect(stdout).toBe("['HOME', 'HOSTNAME', 'LANG', 'OWN', 'PATH', 'TMPDIR']\n");
    } finally {
      delete process.env["CHORUS_ABUSE_SECRET"];
    }
  });
});
