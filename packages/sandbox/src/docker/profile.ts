import type { ContainerCreateOptions, HostConfig, MountSettings } from "dockerode";
import { FOLDERS, type ResolvedSpec, TMP_BYTES } from "../defaults.ts";

/** Two users of one sandbox: the holder keeps the container alive, the task runs everything else. */
export interface UserPair {
  readonly holder: number;
  readonly task: number;
}

/** What one container is made from. */
export interface ContainerPlan {
  readonly id: string;
  readonly imageId: string;
  readonly imageEnv: readonly string[];
  readonly users: UserPair;
  readonly spec: ResolvedSpec;
  readonly labels: Readonly<Record<string, string>>;
  /** Undefined where the engine has no seccomp. */
  readonly seccomp: string | undefined;
}

/** The engine's own list of what to hide, and what else tells about the host. */
const MASKED_PATHS = [
  ..."acpi asound interrupts kcore keys latency_stats timer_list timer_stats sched_debug scsi".split(" "),
  ..."cmdline kallsyms modules version".split(" "),
].map((name) => `/proc/${name}`);
const MASKED_SYS = ["/sys/firmware", "/sys/block", "/sys/devices/virtual/powercap"];
const READONLY_PATHS = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/** The hardened profile, whole. Every line is a wall; DESIGN.md says what each one stops. */
export function containerOptions(plan: ContainerPlan): ContainerCreateOptions {
  return {
    name: plan.id,
    Image: plan.imageId,
    User: `${plan.users.holder}:${plan.users.holder}`,
    Hostname: "sandbox",
    // cat ends when its input does: the agent holds the other end, so the container cannot outlive the agent.
    Entrypoint: ["cat"],
    Cmd: [],
    OpenStdin: true,
    StdinOnce: true,
    AttachStdin: true,
    AttachStdout: false,
    AttachStderr: false,
    Tty: false,
    WorkingDir: FOLDERS.data,
    Env: [...unset(plan.imageEnv), ...environment(plan)],
    Healthcheck: { Test: ["NONE"] },
    Labels: { ...plan.labels },
    HostConfig: hostConfig(plan),
  };
}

function hostConfig(plan: ContainerPlan): HostConfig & { readonly CgroupnsMode: string } {
  const { spec, users } = plan;
  return {
    AutoRemove: true,
    // Reaps what daemonised children leave behind.
    Init: true,
    NetworkMode: "none",
    Dns: ["127.0.0.1"],
    DnsSearch: ["."],
    ReadonlyRootfs: true,
    CapDrop: ["ALL"],
    Privileged: false,
    SecurityOpt: ["no-new-privileges", ...(plan.seccomp === undefined ? [] : [`seccomp=${plan.seccomp}`])],
    PidsLimit: spec.processes,
    Memory: spec.memoryBytes,
    MemorySwap: spec.memoryBytes,
    NanoCpus: Math.round(spec.cpus * 1e9),
    ShmSize: 8_388_608,
    IpcMode: "private",
    CgroupnsMode: "private",
    LogConfig: { Type: "none", Config: {} },
    Ulimits: ulimits(spec),
    MaskedPaths: [...MASKED_PATHS, ...MASKED_SYS],
    ReadonlyPaths: [...READONLY_PATHS],
    Mounts: mounts(plan),
    // The engine's default for a tmpfs is noexec, which would break compiled programs and build tools.
    Tmpfs: {
      "/tmp": `rw,exec,nosuid,nodev,size=${TMP_BYTES},nr_inodes=${spec.files},mode=0700,uid=${users.task},gid=${users.task}`,
    },
  };
}

function ulimits(spec: ResolvedSpec): { Name: string; Hard: number; Soft: number }[] {
  const fixed = (name: string, value: number) => ({ Name: name, Hard: value, Soft: value });
  return [
    fixed("nofile", 1024),
    fixed("core", 0),
    fixed("msgqueue", 0),
    fixed("memlock", 65_536),
    // One sparse file must not look bigger than the place that it lies in.
    fixed("fsize", Math.max(spec.dataBytes, spec.outputBytes, TMP_BYTES)),
  ];
}

/** Anonymous volumes on tmpfs: bounded by the kernel, filled while the container runs, gone with it. */
function mounts({ spec, users, labels }: ContainerPlan): MountSettings[] {
  const volume = (target: string, bytes: number, owner: string): MountSettings => ({
    Type: "volume",
    Source: "",
    Target: target,
    VolumeOptions: {
      NoCopy: true,
      Labels: { ...labels },
      DriverConfig: {
        Name: "local",
        Options: {
          type: "tmpfs",
          device: "tmpfs",
          o: `size=${bytes},nr_inodes=${spec.files},nosuid,nodev,${owner}`,
        },
      },
    },
  });
  const task = `uid=${users.task},gid=${users.task},mode=0700`;
  return [
    volume(FOLDERS.input, spec.inputBytes, "uid=0,gid=0,mode=0755"),
    volume(FOLDERS.data, spec.dataBytes, task),
    volume(FOLDERS.output, spec.outputBytes, task),
  ];
}

/** Variables of an image that say where its tools lie; any other one could steer the task (LD_PRELOAD and its like). */
const IMAGE_ENV =
  /^(?:LANG|LC_ALL|GOROOT|GOTOOLCHAIN|JAVA_HOME|JAVA_VERSION|RUSTUP_HOME|CARGO_HOME|\w+_VERSION)$/;
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The environment of every command: `NAME=value`. */
export function environment(plan: Pick<ContainerPlan, "imageEnv" | "spec">): string[] {
  const image = plan.imageEnv.map((line) => splitVariable(line));
  const path = image.find(([name]) => name === "PATH")?.[1] ?? DEFAULT_PATH;
  const entries = {
    LANG: "C.UTF-8",
    ...Object.fromEntries(image.filter(([name]) => IMAGE_ENV.test(name))),
    PATH: path
      .split(":")
      .filter((folder) => folder.startsWith("/"))
      .join(":"),
    HOME: "/tmp",
    TMPDIR: "/tmp",
    ...plan.spec.env,
  };
  return Object.entries(entries).map(([name, value]) => `${name}=${value}`);
}

/** A name without `=` takes the image's variable out. */
function unset(imageEnv: readonly string[]): string[] {
  return imageEnv.map((line) => splitVariable(line)[0]);
}

function splitVariable(line: string): [string, string] {
  const at = line.indexOf("=");
  return at < 0 ? [line, ""] : [line.slice(0, at), line.slice(at + 1)];
}
