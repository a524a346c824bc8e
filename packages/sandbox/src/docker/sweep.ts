import type { Logger } from "@chorus/kernel";
import type Docker from "dockerode";
import { reasonOf } from "./client.ts";
import { LABEL, ownerIsDead } from "./labels.ts";

/** Younger ones may be between their creation and their start, in another agent's hands. */
const MIN_AGE_MS = 60_000;

/**
 * Removes what earlier agents left: the second line behind the dead-man's switch, for containers that never started
 * and for engines that were restarted. Never touches what a living agent may still use.
 */
export async function sweep(
  docker: Docker,
  logger: Logger,
): Promise<{ containers: number; volumes: number }> {
  const filters = { label: [LABEL] };
  const removed = { containers: 0, volumes: 0 };
  const containers = await docker.listContainers({ all: true, filters });
  for (const { Id } of containers.filter(isLeftBehind))
    if (await tried(docker.getContainer(Id).remove({ force: true, v: true }), logger)) removed.containers++;
  const { Volumes } = await docker.listVolumes({ filters: { ...filters, dangling: ["true"] } });
  const forgotten = (Volumes ?? []).filter((one) => age(one) > MIN_AGE_MS || ownerIsDead(one.Labels ?? {}));
  for (const { Name } of forgotten)
    if (await tried(docker.getVolume(Name).remove({ force: true }), logger)) removed.volumes++;
  if (removed.containers + removed.volumes > 0) logger.info("removed sandboxes left behind", removed);
  return removed;
}

function isLeftBehind({ State, Created, Labels }: Docker.ContainerInfo): boolean {
  if (State !== "running" && Date.now() - Created * 1000 > MIN_AGE_MS) return true;
  return ownerIsDead(Labels);
}

function age(volume: object): number {
  const created = "CreatedAt" in volume ? Date.parse(String(volume.CreatedAt)) : Number.NaN;
  return Number.isNaN(created) ? 0 : Date.now() - created;
}

async function tried(removal: Promise<unknown>, logger: Logger): Promise<boolean> {
  try {
    await removal;
    return true;
  } catch (error) {
    logger.debug("something left behind could not be removed", { reason: reasonOf(error) });
    return false;
  }
}
