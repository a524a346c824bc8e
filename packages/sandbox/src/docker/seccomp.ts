/**
 * The system calls that a sandboxed program may make, as an allow-list of our own: what an engine allows by default
 * differs from version to version, and older ones leave doors open (io_uring, AF_VSOCK, AF_ALG).
 * Whatever is not named answers EPERM. Names unknown to a kernel or architecture are ignored by the engine.
 */
const ALLOWED: readonly string[] = [
  // reading, writing and moving data
  "read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek _llseek sendfile sendfile64",
  "splice tee copy_file_range readahead fadvise64 fadvise64_64 sync syncfs fsync fdatasync sync_file_range",
  // files and folders; mknod makes pipes, devices need a capability
  "open openat openat2 creat close close_range dup dup2 dup3 fcntl fcntl64 flock ioctl truncate ftruncate truncate64",
  "ftruncate64 fallocate stat fstat lstat newfstatat statx stat64 fstat64 lstat64 fstatat64 statfs fstatfs statfs64",
  "fstatfs64 access faccessat faccessat2 getdents getdents64 readlink readlinkat link linkat symlink symlinkat unlink",
  "unlinkat rename renameat renameat2 mkdir mkdirat rmdir mknod mknodat chmod fchmod fchmodat fchmodat2 chown fchown",
  "lchown fchownat chown32 fchown32 lchown32 umask utime utimes utimensat futimesat getcwd chdir fchdir pipe pipe2",
  "getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr setxattr lsetxattr fsetxattr removexattr lremovexattr",
  "fremovexattr inotify_init inotify_init1 inotify_add_watch inotify_rm_watch memfd_create",
  // waiting
  "poll ppoll select _newselect pselect6 epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_wait epoll_wait_old",
  "epoll_pwait epoll_pwait2 eventfd eventfd2 signalfd signalfd4 timerfd_create timerfd_settime timerfd_gettime",
  "io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents",
  // memory
  "brk mmap mmap2 munmap mremap mprotect madvise mincore msync mlock mlock2 munlock mlockall munlockall membarrier",
  "pkey_alloc pkey_free pkey_mprotect remap_file_pages shmget shmat shmdt shmctl semget semop semtimedop semctl",
  "msgget msgsnd msgrcv msgctl mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr",
  // processes and threads; clone has a rule of its own
  "fork vfork execve execveat exit exit_group wait4 waitid waitpid getpid getppid gettid set_tid_address futex",
  "futex_waitv set_robust_list get_robust_list rseq arch_prctl prctl set_thread_area get_thread_area pidfd_open",
  "pidfd_send_signal getpgid getpgrp setpgid getsid setsid getpriority setpriority getrusage getrlimit setrlimit",
  "ugetrlimit prlimit64 times restart_syscall sched_yield sched_getaffinity sched_setaffinity sched_getparam",
  "sched_getscheduler sched_get_priority_max sched_get_priority_min sched_rr_get_interval sched_getattr",
  "sched_setparam sched_setscheduler sched_setattr ioprio_get ioprio_set capget capset seccomp getcpu",
  "landlock_create_ruleset landlock_add_rule landlock_restrict_self",
  // identity
  "getuid geteuid getgid getegid getresuid getresgid getgroups setuid setgid setreuid setregid setresuid setresgid",
  "setgroups setfsuid setfsgid getuid32 geteuid32 getgid32 getegid32 getresuid32 getresgid32 getgroups32",
  // signals
  "kill tkill tgkill rt_sigaction rt_sigprocmask rt_sigpending rt_sigreturn rt_sigsuspend rt_sigtimedwait",
  "rt_sigqueueinfo rt_tgsigqueueinfo sigaltstack sigreturn pause alarm",
  // time
  "nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time getitimer setitimer timer_create",
  "timer_settime timer_gettime timer_getoverrun timer_delete adjtimex",
  // sockets; socket and socketpair have rules of their own, socketcall is left out because it would hide the family
  "bind listen accept accept4 connect getsockname getpeername getsockopt setsockopt shutdown send sendto sendmsg",
  "sendmmsg recv recvfrom recvmsg recvmmsg",
  // the rest
  "uname sysinfo getrandom",
];

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET and NEWTIME. */
const NEW_NAMESPACE = 0x7e_02_00_80;

const ENOSYS = 38;

interface Argument {
  readonly index: number;
  readonly value: number;
  readonly valueTwo?: number;
  readonly op: "SCMP_CMP_EQ" | "SCMP_CMP_MASKED_EQ";
}

interface Rule {
  readonly names: readonly string[];
  readonly action: "SCMP_ACT_ALLOW" | "SCMP_ACT_ERRNO";
  readonly errnoRet?: number;
  readonly args?: readonly Argument[];
}

const allow = (name: string, ...args: readonly Argument[]): Rule => ({
  names: [name],
  action: "SCMP_ACT_ALLOW",
  args,
});
const equals = (index: number, value: number): Argument => ({ index, value, op: "SCMP_CMP_EQ" });

/** Families that a program may open: unix, inet, inet6, and netlink for routes only (getifaddrs needs it). */
const FAMILIES: readonly Rule[] = [
  allow("socket", equals(0, 1)),
  allow("socket", equals(0, 2)),
  allow("socket", equals(0, 10)),
  allow("socket", equals(0, 16), equals(2, 0)),
  allow("socketpair", equals(0, 1)),
];

const RULES: readonly Rule[] = [
  { names: ALLOWED.flatMap((line) => line.split(" ")), action: "SCMP_ACT_ALLOW" },
  ...FAMILIES,
  allow("clone", { index: 0, value: NEW_NAMESPACE, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }),
  // Its flags lie in memory, out of a filter's sight; with ENOSYS libraries fall back to clone.
  { names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: ENOSYS },
  // The default personality, and asking for the current one.
  allow("personality", equals(0, 0)),
  allow("personality", equals(0, 0xff_ff_ff_ff)),
];

/** Only the native calls of the machine: 32-bit entry points would go around the rules about arguments. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  amd64: "SCMP_ARCH_X86_64",
  x86_64: "SCMP_ARCH_X86_64",
  arm64: "SCMP_ARCH_AARCH64",
  aarch64: "SCMP_ARCH_AARCH64",
};

/**
 * The profile as the engine's `seccomp=` option wants it: its text, not a path.
 * @param machine architecture by the engine's name for it
 * @returns undefined for a machine on which the profile has not been thought through
 */
export function seccompProfile(machine: string): string | undefined {
  const architecture = ARCHITECTURES[machine];
  if (architecture === undefined) return undefined;
  return JSON.stringify({
    defaultAction: "SCMP_ACT_ERRNO",
    architectures: [architecture],
    syscalls: RULES,
  });
}
