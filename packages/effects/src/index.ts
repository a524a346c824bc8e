/**
 * Acts on the outside world once per effect: git push, HTTP, publication in the mesh, delivery of files.
 *
 * @example
 * import { createHash } from "node:crypto";
 * import { mkdtempSync, readFileSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 * import { pathToFileURL } from "node:url";
 * import { createSentinel } from "@chorus/shhh";
 * import { type Effect, fileDelivery } from "@chorus/effects";
 *
 * const folder = mkdtempSync(join(tmpdir(), "deliveries-"));
 * const { pass } = createSentinel({ key: crypto.getRandomValues(new Uint8Array(32)) });
 * const report = pass(new TextEncoder().encode("all tests pass\n"));
 * const effect: Effect = {
 *   key: "a".repeat(52),
 *   taskId: "b".repeat(52),
 *   slot: "report",
 *   ordinal: 0,
 *   kind: "file-delivery",
 *   target: pathToFileURL(join(folder, "report.txt")).href,
 *   digest: createHash("sha256").update(report).digest("hex"),
 *   earlier: [],
 *   at: Date.now(),
 * };
 * const effector = fileDelivery({ bases: [folder] });
 * const signal = AbortSignal.timeout(10_000);
 * const first = await effector.act(effect, report, { signal });
 * const second = await effector.act(effect, report, { signal }); // the same effect: nothing more happens
 * console.log(first.reference === second.reference, readFileSync(join(folder, "report.txt"), "utf8"));
 *
 * @packageDocumentation
 */
export type {
  Effect,
  Effector,
  FileDeliveryOptions,
  GitPushOptions,
  HttpCallOptions,
  Receipt,
  Resolution,
  UcxlPublishComponents,
} from "./contract.ts";
export { fileDelivery } from "./file-delivery.ts";
export { gitPush } from "./git-push.ts";
export { httpCall } from "./http-call.ts";
export { ucxlPublish } from "./ucxl-publish.ts";
