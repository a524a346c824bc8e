/**
 * Runs one task from its inputs to its artifacts: explicit commands, or the project's own tests by a recipe.
 *
 * @example
 * import { engine, type EngineComponents } from "@chorus/engine";
 *
 * async function test(components: EngineComponents, address: string): Promise<string> {
 *   const { outcome, reason = "" } = await engine(components).execute(
 *     {
 *       id: "task-1",
 *       spec: { goal: "run the tests", inputs: [{ name: "source", address, mediaType: "application/x-tar" }] },
 *     },
 *     { attempt: 1, signal: AbortSignal.timeout(60_000), onOutput: ({ bytes }) => void process.stdout.write(bytes) },
 *   );
 *   return `${outcome} ${reason}`;
 * }
 *
 * @packageDocumentation
 */
export type {
  Engine,
  EngineComponents,
  EngineOptions,
  EngineTask,
  ExecuteOptions,
  InputSource,
  OutputRedactor,
  RunResult,
  SandboxPort,
  Sandboxes,
} from "./contract.ts";
export { engine } from "./engine.ts";
