import type { Cluster } from "../e2e/cluster.ts";
import type { Target } from "./play-conformance.ts";

/** A station of each version in a cluster, for the suite to play with. */
export async function generateTarget(cluster: Cluster): Promise<Target> {
  const [v16] = await cluster.generateStations(1, "1.6");
  const [v201] = await cluster.generateStations(1, "2.0.1");
  const [v21] = await cluster.generateStations(1, "2.1");
  if (v16 === undefined || v201 === undefined || v21 === undefined) throw new Error("no station was generated");
  return {
    origin: cluster.ocppUrls[0],
    apiUrl: cluster.apiUrl,
    apiKey: cluster.apiKey,
    stations: { "1.6": v16, "2.0.1": v201, "2.1": v21 },
  };
}
