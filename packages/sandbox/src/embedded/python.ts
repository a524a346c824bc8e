import type * as JustBash from "just-bash";

/**
 * Makes modules in the virtual files importable. The interpreter shows them to `open` and `os`, but its import system
 * looks at its own, different root; so this finder asks `os` and `open` as a program would. It also keeps module files
 * under the names that programs see, which unittest's discovery compares.
 */
const FINDER = String.raw`
import sys, os
from importlib.abc import SourceLoader
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
class _Loader(SourceLoader):
    def __init__(self, path): self._path = path
    def get_filename(self, fullname): return self._path
    def get_data(self, path):
        with open(path, "rb") as file: return file.read()
class _Finder:
    def __init__(self, path): self._path = path
    def find_spec(self, name, target=None):
        base = os.path.join(self._path, name.rpartition(".")[2])
        package = os.path.join(base, "__init__.py")
        if os.path.isfile(package):
            return spec_from_file_location(name, package, loader=_Loader(package), submodule_search_locations=[base])
        if os.path.isfile(base + ".py"):
            return spec_from_file_location(name, base + ".py", loader=_Loader(base + ".py"))
        if os.path.isdir(base):
            spec = ModuleSpec(name, None, is_package=True)
            spec.submodule_search_locations = [base]
            return spec
        return None
    def invalidate_caches(self): pass
def _virtual(path):
    full = os.path.abspath(path or os.getcwd())
    if not full.startswith("/workspace/"): raise ImportError
    return _Finder(full)
sys.path_hooks.insert(0, _virtual)
sys.path_importer_cache.clear()
sys.path[:0] = [p for p in os.environ.get("PYTHONPATH", "").split(":") if p]
sys.dont_write_bytecode = True
`;

const RUN_MODULE = String.raw`
sys.path.insert(0, os.getcwd())
_name = sys.argv.pop(1)
import runpy
runpy.run_module(_name, run_name="__main__", alter_sys=True)
`;

const RUN_FILE = String.raw`
sys.argv.pop(0)
sys.path.insert(0, os.path.dirname(os.path.abspath(sys.argv[0])))
import __main__
__main__.__dict__["__file__"] = sys.argv[0]
try: _source = open(sys.argv[0]).read()
except OSError as problem:
    print(f"python3: can't open file '{sys.argv[0]}': {problem}", file=sys.stderr)
    sys.exit(2)
exec(compile(_source, sys.argv[0], "exec"), __main__.__dict__)
`;

const RUN_CODE = String.raw`
sys.path.insert(0, "")
_source = sys.argv.pop(1)
exec(compile(_source, "<string>", "exec"), __import__("__main__").__dict__)
`;

/** Options that change nothing here and may stand before what is to run. */
const HARMLESS = /^-[BEIOOqRsSu]+$/;

/**
 * `python3` and `python` that import a project's own modules, as the real one does: from the script's folder, from the
 * working folder for `-m` and `-c`, and from PYTHONPATH. Program text on standard input is left to the interpreter.
 */
export function pythonCommands({ defineCommand }: typeof JustBash): JustBash.Command[] {
  return ["python3", "python"].map((name) =>
    defineCommand(name, async (args, { origCommand }) => {
      const run =
        origCommand ?? (async () => ({ stdout: "", stderr: `${name}: not available\n`, exitCode: 127 }));
      return run(rewritten(args));
    }),
  );
}

function rewritten(args: string[]): string[] {
  const at = args.findIndex((word) => !HARMLESS.test(word));
  const [first, ...rest] = at < 0 ? [] : args.slice(at);
  if (first === "-m" && rest.length > 0) return ["-c", FINDER + RUN_MODULE, ...rest];
  if (first === "-c" && rest.length > 0) return ["-c", FINDER + RUN_CODE, ...rest];
  if (first !== undefined && !first.startsWith("-")) return ["-c", FINDER + RUN_FILE, first, ...rest];
  return args;
}
