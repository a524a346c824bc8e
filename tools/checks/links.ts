import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { prose } from "./markdown.ts";
import type { Workspace } from "./workspace.ts";

const DOCUMENTS = ["README.md", "apps/docs/**/*.md", "packages/*/*.md", "apps/*/*.md"];

/** Every relative link leads to a file, every `#anchor` to a heading, every path in `code` to something. */
export function checkLinks({ root }: Workspace): readonly string[] {
  return globSync(DOCUMENTS, { cwd: root })
    .filter((file) => !file.includes("node_modules") && !file.endsWith("CHANGELOG.md"))
    .sort()
    .flatMap((file) => {
      const text = prose(readFileSync(join(root, file), "utf8"));
      return [...linkProblems(root, file, text), ...pathProblems(root, file, text)];
    });
}

function linkProblems(root: string, file: string, text: string): readonly string[] {
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, target = ""]) => {
    if (/^[a-z]+:/.test(target)) return [];
    const [path = "", anchor] = target.split("#");
    const found = path === "" ? join(root, file) : resolve(root, dirname(file), path);
    if (!existsSync(found)) return [`${file}: the link to ${target} leads nowhere`];
    if (relative(root, found).startsWith(".."))
      return [`${file}: the link to ${target} leaves the repository`];
    if (anchor === undefined || anchorsOf(found).includes(anchor)) return [];
    return [`${file}: ${target} names no heading of ${relative(root, found)}`];
  });
}

/** `packages/x/src/y.ts` in running text is a promise too; a path with a placeholder or a glob is none. */
function pathProblems(root: string, file: string, text: string): readonly string[] {
  return [...text.matchAll(/`((?:packages|apps|tools)\/[\w./-]+)`/g)].flatMap(([, path = ""]) =>
    /\bNAME\b/.test(path) || existsSync(join(root, path)) ? [] : [`${file}: \`${path}\` does not exist`],
  );
}

/** GitHub's ids of headings. */
function anchorsOf(file: string): readonly string[] {
  return [...prose(readFileSync(file, "utf8")).matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .trim()
      .replaceAll(" ", "-"),
  );
}
