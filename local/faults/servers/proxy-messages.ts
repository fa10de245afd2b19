/** What the conductor asks of the proxy process. */
export type ProxyOrder =
  | { op: "open"; name: string; targets: readonly number[] }
  | { op: "cut" | "hold" | "refuse" | "heal" | "strikes"; names: readonly string[] }
  | { op: "slow"; names: readonly string[]; latencyMs: number; bytesPerSecond: number | undefined }
  | { op: "strike"; names: readonly string[]; matching: string; count: number }
  | { op: "retarget"; names: readonly string[]; targets: readonly number[] };

export interface ProxyRequest {
  id: number;
  order: ProxyOrder;
}

export type ProxyAnswer = { id: number; value: number } | { id: number; error: string };
