/**
 * Isolated execution of untrusted commands: in Docker where an engine answers, else in an embedded shell.
 *
 * @example
 * import { createSandbox } from "@chorus/sandbox";
 *
 * await using sandbox = await createSandbox({ language: "python" }, { engine: "embedded" });
 * const script = "print(6 * 7, file=open('/workspace/output/answer', 'w'))";
 * const execution = sandbox.exec(["python3", "-c", script], { timeoutMs: 30_000 });
 * for await (const { stream, bytes } of execution) process[stream].write(bytes);
 * const { outcome, exitCode } = await execution.result;
 * console.log(outcome, exitCode, sandbox.isolation.level);
 * for await (const { path, sha256 } of sandbox.collect("output")) console.log(path, sha256);
 *
 * @packageDocumentation
 */
export type {
  Artifact,
  EngineReport,
  ExecResult,
  Execution,
  Isolation,
  Sandbox,
  SandboxOptions,
  SandboxSpec,
} from "./contract.ts";
export { selectImage } from "./image.ts";
export { detectLanguage } from "./language.ts";
export { createSandbox, probeEngines } from "./sandbox.ts";
