/** Programs that a task may reasonably ask for and that this engine can never run: they are native, or need a network. */
const NATIVE = new Set(
  [
    "git gh hg svn patch make cmake ninja meson gcc g++ cc c++ clang clang++ ld ar go gofmt cargo rustc rustup",
    "java javac mvn gradle kotlinc node npm npx pnpm yarn bun deno tsc corepack pip pip3 pipx poetry uv pytest tox",
    "virtualenv conda ruby gem bundle perl php composer dotnet docker podman kubectl apt apt-get apk dnf yum brew",
    "curl wget ssh scp rsync nc unzip zip sudo su",
  ].flatMap((line) => line.split(" ")),
);

const NOT_FOUND =
  /^(?:[\w-]+: )?(?:[\w-]+: )?(?:line \d+: )?([^\s:]+): (?:command not found|No such file or directory)$/gm;

/** Parts of Python's standard library that need native code, and its ways of starting processes. */
const PYTHON =
  /No module named '?(_?sqlite3|_ssl|_ctypes|_multiprocessing|_posixsubprocess|pip|ensurepip|venv|pytest)'?$|(emscripten does not support processes)/m;

/**
 * What a failed command asked for in vain, or undefined when it failed for another reason. Read from its error output:
 * a task that imitates these lines only spoils its own, already failed, result.
 */
export function askedInVain(program: string, stderr: string): string | undefined {
  if (NATIVE.has(baseName(program)) && stderr.includes("command not found")) return baseName(program);
  for (const [, name] of stderr.matchAll(NOT_FOUND))
    if (name !== undefined && NATIVE.has(baseName(name))) return baseName(name);
  const [, module, processes] = PYTHON.exec(stderr) ?? [];
  if (module !== undefined) return `Python's ${module.replace(/^_/, "")}`;
  return processes === undefined ? undefined : "processes in Python";
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
