import { prose } from "./markdown.ts";
import { readText, type Workspace } from "./workspace.ts";

const MAX_LINES = 120;
const COMMANDS = ["npm start", "npm test", "npm run verify"];

/** The root README: the commands it names exist, and its table knows every package. */
export function checkFrontPage({ root, packages }: Workspace): readonly string[] {
  const text = readText(root, "README.md");
  if (text === undefined) return ["README.md is missing"];
  const lines = text.trimEnd().split("\n").length;
  const scripts = scriptsOf(root);
  const named = [...text.matchAll(/\bnpm (?:run )?([a-z-]+)/g)].map((match) => match[1] ?? "");
  const rows = prose(text)
    .split("\n")
    .filter((line) => line.startsWith("|"));
  return [
    ...(lines > MAX_LINES ? [`README.md: it has ${lines} lines, at most ${MAX_LINES}`] : []),
    ...COMMANDS.filter((command) => !text.includes(command)).map(
      (command) => `README.md: it does not name \`${command}\``,
    ),
    ...[...new Set(named)]
      .filter((name) => !scripts.includes(name) && name !== "install")
      .map((name) => `README.md: there is no script "${name}"`),
    ...packages
      .filter((found) => found.kind === "packages" && !rows.some((row) => hasLink(row, found.dir)))
      .map((found) => `README.md: no row of the table links to ${found.dir}`),
  ];
}

function hasLink(row: string, dir: string): boolean {
  return [`](${dir})`, `](${dir}/)`, `](${dir}/README.md)`].some((link) => row.includes(link));
}

function scriptsOf(root: string): readonly string[] {
  const manifest: { scripts?: Record<string, string> } = JSON.parse(readText(root, "package.json") ?? "{}");
  return Object.keys(manifest.scripts ?? {});
}
