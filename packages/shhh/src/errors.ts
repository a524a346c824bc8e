import { ChorusError } from "@chorus/kernel";
import type { Finding } from "./contract.ts";

/** Bytes that must not leave, because they hold a secret. `detail.findings` says where, never what. */
export class BlockedError extends ChorusError {
  readonly code = "shhh/blocked";
  readonly findings: readonly Finding[];
  constructor(findings: readonly Finding[]) {
    const rules = [...new Set(findings.map(({ rule }) => rule))].join(", ");
    super(`blocked: ${findings.length} secret(s) found (${rules})`, {
      detail: {
        findings: findings.map(({ rule, start, end, fingerprint }) => ({ rule, start, end, fingerprint })),
      },
    });
    this.findings = findings;
  }
}

/** A rule that could not be used; no rule of its set is in force. */
export class RuleError extends ChorusError {
  readonly code = "shhh/bad-rule";
  constructor(rule: string, problem: string) {
    super(`rule ${rule}: ${problem}`, { detail: { rule, problem } });
  }
}

/** A call that can never succeed; the caller's mistake. */
export class ShhhUsageError extends ChorusError {
  readonly code = "shhh/bad-use";
  constructor(problem: string) {
    super(problem, { detail: { problem } });
  }
}
