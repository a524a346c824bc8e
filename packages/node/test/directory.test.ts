import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { voterFiles } from "../src/directory.ts";

it("refuses votes without their ledger, and nothing else", () => {
  const directory = mkdtempSync(join(tmpdir(), "node-directory-"));
  try {
    const { ledger, votes } = voterFiles(directory);
    writeFileSync(ledger, "");
    expect(voterFiles(directory)).toEqual({ ledger, votes });
    writeFileSync(votes, "");
    expect(voterFiles(directory)).toEqual({ ledger, votes });
    rmSync(ledger);
    expect(() => voterFiles(directory)).toThrow(/has votes.db and no ledger.db/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
