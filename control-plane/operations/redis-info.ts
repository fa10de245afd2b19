/** What INFO, or CLUSTER INFO, says: name → value. */
export function readInfo(text: string): ReadonlyMap<string, string> {
  return new Map(
    text.split("\r\n").flatMap((line): [string, string][] => {
      const colon = line.indexOf(":");
      return colon <= 0 || line.startsWith("#") ? [] : [[line.slice(0, colon), line.slice(colon + 1)]];
    }),
  );
}

/** The replicas of a master, as its INFO lists them (`slave0:ip=…,port=…,state=online,offset=…,lag=0`). */
export function replicasIn(info: ReadonlyMap<string, string>): { state: string; lagSeconds: number }[] {
  return [...info].flatMap(([name, value]) => {
    if (!/^slave\d+$/.test(name)) return [];
    const parts = new Map(value.split(",").map((part) => part.split("=") as [string, string]));
    return [{ state: parts.get("state") ?? "", lagSeconds: Number(parts.get("lag") ?? 0) }];
  });
}
