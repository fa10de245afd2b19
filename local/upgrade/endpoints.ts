/** A Service of the chart, at an address of this machine. */
export interface LocalService {
  name: string;
  address: string;
  selector: Record<string, string>;
  ports: { port: number; targetPort: string }[];
  /** Pods that are not ready are among its endpoints too. */
  unready: boolean;
}

/** What a Service has to know of a pod. */
export interface Backend {
  labels: Record<string, string>;
  address: string;
  /** By name. */
  ports: Record<string, number>;
  ready: boolean;
  /** It is going, and Services have learned of it. */
  withdrawn: boolean;
}

/** An address that is listened on, and where its new connections go. */
export interface Listener {
  address: string;
  port: number;
  targets: { address: string; port: number }[];
}

/** Where new connections to each port of each Service go now, as a cluster has it: to pods that are ready and stay. */
export function listenersOf(services: readonly LocalService[], pods: readonly Backend[]): Listener[] {
  return services.flatMap(({ address, selector, ports, unready }) => {
    const chosen = pods.filter(
      ({ labels, ready, withdrawn }) =>
        !withdrawn && (ready || unready) && Object.entries(selector).every(([name, value]) => labels[name] === value),
    );
    return ports.map(({ port, targetPort }) => ({
      address,
      port,
      targets: chosen.flatMap((pod) => {
        const target = pod.ports[targetPort];
        return target === undefined ? [] : [{ address: pod.address, port: target }];
      }),
    }));
  });
}
