/** What a business key of the fleet says (fleet/station.ts), as columns to compare with Postgres. Undefined: it says no such thing. */
export interface CallKey {
  connector?: number;
  evse?: number;
  status?: string;
  /** When the start was, for everything in its transaction; OCPP 1.6. */
  startedAt?: string;
  /** The station's own time of what the message tells. */
  at?: string;
  /** 2.x. */
  transactionId?: string;
  seqNo?: number;
  /** Sampled values in it. */
  values?: number;
}

const TIME = "(\\d{4}-[^ ]+?Z)";
const START = new RegExp(`^start:(\\d+):${TIME}$`);
const METER = new RegExp(`^meter:start:(\\d+):${TIME}:${TIME}:(\\d+)$`);
const STOP = new RegExp(`^stop:start:(\\d+):${TIME}:${TIME}$`);
const EVENT = new RegExp(`^event:([^:]+):(\\d+):[^:]+:${TIME}:(\\d+)$`);
const STATUS = new RegExp(`^status:(\\d+):(\\d+):([^:]+):${TIME}$`);

/** Takes a key apart. A key that it does not know says nothing. */
export function parseCallKey(key: string): CallKey {
  const start = START.exec(key);
  if (start !== null) return { connector: Number(start[1]), startedAt: start[2], at: start[2] } as CallKey;
  const meter = METER.exec(key);
  if (meter !== null)
    return { connector: Number(meter[1]), startedAt: meter[2], at: meter[3], values: Number(meter[4]) } as CallKey;
  const stop = STOP.exec(key);
  if (stop !== null) return { connector: Number(stop[1]), startedAt: stop[2], at: stop[3] } as CallKey;
  const event = EVENT.exec(key);
  if (event !== null)
    return { transactionId: event[1], seqNo: Number(event[2]), at: event[3], values: Number(event[4]) } as CallKey;
  const status = STATUS.exec(key);
  if (status !== null)
    return { evse: Number(status[1]), connector: Number(status[2]), status: status[3], at: status[4] } as CallKey;
  return {};
}
