import { bridgedNamespaces, loopbackNamespace, namespacesMissing } from "./namespaces.ts";
import { machineLoopback, type Place } from "./places.ts";

/**
 * Every place that this machine can offer, for one mesh each. With the right to make network namespaces, loopback is
 * that of a namespace, so that packets can be lost there too.
 * @param tell hears why, when there are fewer
 */
export async function everywhere(peers: number, tell: (line: string) => void): Promise<readonly Place[]> {
  const missing = namespacesMissing();
  if (missing === undefined) return [loopbackNamespace(peers), bridgedNamespaces(peers)];
  tell(`no network namespaces (${missing}): on loopback only, and no packets are lost`);
  return [await machineLoopback(peers)];
}
