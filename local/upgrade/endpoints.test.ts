import { expect, test } from "vitest";
import { type Backend, listenersOf, type LocalService } from "./endpoints.ts";

const service = (more: Partial<LocalService> = {}): LocalService => ({
  name: "api",
  address: "127.3.0.1",
  selector: { component: "api" },
  ports: [{ port: 80, targetPort: "http" }],
  unready: false,
  ...more,
});
const pod = (address: string, more: Partial<Backend> = {}): Backend => ({
  labels: { component: "api", release: "new" },
  address,
  ports: { http: 3000, internal: 9100 },
  ready: true,
  withdrawn: false,
  ...more,
});
const addresses = (found: ReturnType<typeof listenersOf>) => found.flatMap(({ targets }) => targets);

test("new connections go to the pods that a Service selects, are ready, and stay", () => {
  const pods = [
    pod("127.2.0.1"),
    pod("127.2.0.2", { ready: false }),
    pod("127.2.0.3", { withdrawn: true }),
    pod("127.2.0.4", { labels: { component: "jobs" } }),
  ];
  expect(listenersOf([service()], pods)).toEqual([
    { address: "127.3.0.1", port: 80, targets: [{ address: "127.2.0.1", port: 3000 }] },
  ]);
});

test("a Service for pods that wait for each other has those that are not ready, of its release alone", () => {
  const live = service({
    selector: { component: "api", release: "new" },
    ports: [{ port: 9100, targetPort: "internal" }],
    unready: true,
  });
  const pods = [
    pod("127.2.0.1", { labels: { component: "api", release: "old" } }),
    pod("127.2.0.2", { ready: false }),
    pod("127.2.0.3", { ready: false, withdrawn: true }),
  ];
  expect(addresses(listenersOf([live], pods))).toEqual([{ address: "127.2.0.2", port: 9100 }]);
});

test("without a pod, or without its port, there is nowhere to go", () => {
  expect(addresses(listenersOf([service()], []))).toEqual([]);
  expect(addresses(listenersOf([service()], [pod("127.2.0.1", { ports: {} })]))).toEqual([]);
});
