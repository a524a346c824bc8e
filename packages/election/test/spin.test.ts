import { execFile, spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const MODELS = join(import.meta.dirname, "../spin");
/** The cores may be busy with other tests. */
const PATIENCE_MS = 240_000;
const run = promisify(execFile);

/** A model, and the bounds within which every behaviour is looked at. */
interface Search {
  readonly model: "core" | "lease" | "reconfig";
  readonly bounds: Readonly<Record<string, number | true>>;
}

const THREE_VOTERS: Search = { model: "core", bounds: { TERMS: 3 } };
const THREE_PEERS: Search = { model: "reconfig", bounds: { PEERS: 3, TERMS: 4, VERSIONS: 3 } };
const FOUR_PEERS: Search = { model: "reconfig", bounds: { PEERS: 4, TERMS: 2, VERSIONS: 3 } };
const GROWING: Search = { model: "reconfig", bounds: { FIRST_VOTERS: 1, TERMS: 3, VERSIONS: 3 } };
const GROWING_LOG: Search = { model: "reconfig", bounds: { ...GROWING.bounds, LOG: true } };
const GROWING_LEASE: Search = { model: "lease", bounds: { FIRST_VOTERS: 1, TERMS: 2, VERSIONS: 4 } };

const SOUND: readonly (readonly [string, Search, number])[] = [
  ["three voters elect, lead, lose and hand over", THREE_VOTERS, 300_000],
  ["three voters become fewer and more", THREE_PEERS, 1_000_000],
  ["a fourth peer joins and leaves", FOUR_PEERS, 500_000],
  ["one voter becomes three", GROWING, 30_000],
  ["one voter becomes three and writes a log", GROWING_LOG, 200_000],
  ["one voter becomes three and holds leases", GROWING_LEASE, 200_000],
];

const TWO_ADMINS = "!(won[term[_pid]])";
const TWO_LEASES = "(lease[other]==0)";
const LOST_ENTRY = "~(log[_pid])";

/** Each rule, where its loss is seen, and what is broken then. */
const RULES: readonly (readonly [string, Search, string])[] = [
  ["MAJORITY", THREE_VOTERS, TWO_ADMINS],
  ["PERSISTED_VOTE", THREE_VOTERS, TWO_ADMINS],
  ["PERSISTED_TERM", THREE_VOTERS, TWO_ADMINS],
  ["RESTART_HOLD", THREE_VOTERS, TWO_LEASES],
  ["STICKINESS", THREE_VOTERS, TWO_LEASES],
  ["LEASE_START", THREE_VOTERS, TWO_LEASES],
  ["LEASE_FROM_SENDING", THREE_VOTERS, TWO_LEASES],
  ["LEASE_WITHIN_TIMEOUT", THREE_VOTERS, TWO_LEASES],
  ["LEASE_ENDED_FIRST", THREE_VOTERS, TWO_LEASES],
  ["RESIGNATION_CHECK", THREE_VOTERS, TWO_LEASES],
  ["INSTALLED_QUORUM", THREE_PEERS, TWO_ADMINS],
  ["TERM_QUORUM", THREE_PEERS, TWO_ADMINS],
  ["JOINT_APPROVAL", THREE_PEERS, TWO_ADMINS],
  ["CONFIG_CHECK", THREE_PEERS, TWO_ADMINS],
  ["CONFIG_REWRITE", THREE_PEERS, TWO_ADMINS],
  ["ONE_AT_A_TIME", THREE_PEERS, TWO_ADMINS],
  ["PERSISTED_CONFIG", THREE_PEERS, TWO_ADMINS],
  ["TERM_OF_CONFIG", GROWING, TWO_ADMINS],
  ["RESTART_HOLD", GROWING_LEASE, TWO_LEASES],
  ["APPROVAL_PROMISE", GROWING_LEASE, TWO_LEASES],
  ["OWN_MEMBERSHIP", GROWING_LEASE, TWO_LEASES],
  ["LOG_CHECK", GROWING_LOG, LOST_ENTRY],
  ["COMMITMENT", GROWING_LOG, LOST_ENTRY],
];

const missing = ["spin", "gcc"].find((program) => spawnSync(program, ["--version"]).error !== undefined);

/** Spin writes a C program that visits all states; what that says at its end. */
async function search({ model, bounds }: Search, without?: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "spin-"));
  try {
    copyFileSync(join(MODELS, `${model}.pml`), join(folder, "model.pml"));
    const defined = Object.entries(bounds).map(([name, value]) => `-D${name}=${Number(value)}`);
    if (without !== undefined) defined.push(`-DWITHOUT_${without}`);
    const place = { cwd: folder, timeout: PATIENCE_MS };
    await run("spin", ["-a", ...defined, "model.pml"], place);
    // All states are kept whole and in memory: no bitstate, no hash compaction, no partial order to argue about.
    const options = ["-w", "-DSAFETY", "-DNOFAIR", "-DNOREDUCE", "-DMEMLIM=1024", "-o", "pan", "pan.c"];
    await run("gcc", [without === undefined ? "-O1" : "-O0", ...options], place);
    const { stdout } = await run(join(folder, "pan"), ["-m200000", "-w20"], place);
    return stdout;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function statesOf(output: string): number {
  return Number(/^\s*(\S+) states, stored/m.exec(output)?.[1]);
}

describe.skipIf(missing !== undefined)(
  `Spin (${missing === undefined ? "all states" : `no ${missing}`})`,
  () => {
    it.each(SOUND)("finds no fault where %s", { timeout: PATIENCE_MS }, async (_, bounds, atLeast) => {
      const output = await search(bounds);
      expect(output).toContain("Full statespace search");
      expect(output).toContain("errors: 0");
      expect(output).not.toMatch(
        /not completed|too small|out of memory|hash-compact|Bit statespace|truncated/i,
      );
      expect(statesOf(output)).toBeGreaterThan(atLeast);
      // Every line of the model was reached, so that no rule is kept for lack of anything to happen.
      const unreached = [...output.matchAll(/^\s+model\.pml:\d+, state \d+, "(.*)"$/gm)].map(
        ([, line]) => line,
      );
      expect(new Set(unreached)).toEqual(new Set(["-end-"]));
    });

    it.each(RULES.map(([rule, where, broken]) => ({ rule, where, broken, model: where.model })))(
      "finds the fault without $rule in $model",
      { timeout: PATIENCE_MS },
      async ({ rule, where, broken }) => {
        const output = await search(where, rule);
        expect(output).toContain("errors: 1");
        expect(output).toContain("assertion violated");
        expect(output.split("\n").find((line) => line.includes("assertion violated"))).toContain(broken);
      },
    );
  },
);

it("has a switch for every rule in the models, and a search for every switch", () => {
  const switches = ["core", "lease", "reconfig"].flatMap((model) =>
    [...readFileSync(join(MODELS, `${model}.pml`), "utf8").matchAll(/WITHOUT_([A-Z_]+)/g)].map(
      ([, name]) => name,
    ),
  );
  expect(new Set(switches)).toEqual(new Set(RULES.map(([rule]) => rule)));
});
