import { encodeCall, encodeCallResult } from "@dynamo-csms/proto/ocpp-frame";
import type { LaneEvent } from "@dynamo-csms/proto/lane-event";
import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { LANES, LEASE_MS, lane, laneLease, nodeLease } from "@dynamo-csms/proto/redis-keys";
import { ENTRY_FIELD, encodeEntry, type LaneFrame } from "@dynamo-csms/proto/stream-entry";
import type { Redis } from "ioredis";
import type { TestStation } from "./registered-station.ts";

/** One connection of a station, as a gateway sees it: numbers its frames. */
export interface DoubleConnection {
  /** A CALL of the station; `answer` is the payload of a decision's answer. */
  call(
    action: string,
    payload: object | string,
    options?: { answer?: object | string; messageId?: string; flagged?: boolean; atMs?: number },
  ): LaneFrame;
  event(event: LaneEvent): LaneFrame;
}

export function connectionOf(station: TestStation, version: OcppVersion, epoch: number): DoubleConnection {
  let seq = 0;
  const frame = (kind: LaneFrame["kind"], text: string, atMs: number): LaneFrame => {
    seq += 1;
    return { kind, identity: station.identity, version, epoch, seq, receivedAtMs: atMs, text, flagged: false };
  };
  const textOf = (value: object | string) => (typeof value === "string" ? value : JSON.stringify(value));
  return {
    call(action, payload, { answer, messageId = `m-${epoch}-${seq + 1}`, flagged = false, atMs = Date.now() } = {}) {
      const made = frame("inbound", encodeCall(messageId, action, textOf(payload)), atMs);
      return {
        ...made,
        flagged,
        ...(answer === undefined ? {} : { answer: encodeCallResult(messageId, textOf(answer)) }),
      };
    },
    event: (event) => frame("event", JSON.stringify(event), Date.now()),
  };
}

/** Writes a lane as a gateway process does: registered first, entry ids 1-0, 2-0, …, one entry per call. */
export class LaneDouble {
  readonly id: string;
  readonly nodeId: string;
  readonly #redis: Redis;
  #last = 0;

  constructor(redis: Redis, id: string) {
    this.#redis = redis;
    this.id = id;
    this.nodeId = `node-${id}`;
  }

  /** The id of the last entry. */
  get end(): string {
    return `${this.#last}-0`;
  }

  async open(): Promise<void> {
    await this.#redis.hset(LANES, this.id, JSON.stringify({ nodeId: this.nodeId, startedAtMs: Date.now() }));
    await this.renew();
  }

  async renew(): Promise<void> {
    await this.#redis.set(laneLease(this.id), this.nodeId, "PX", LEASE_MS * 100);
    const lease = JSON.stringify({ laneId: this.id, startedAtMs: Date.now() });
    await this.#redis.set(nodeLease(this.nodeId), lease, "PX", LEASE_MS * 100);
  }

  /** The writer's process has died, and its leases ran out. */
  async die(): Promise<void> {
    await this.#redis.del(laneLease(this.id));
    await this.#redis.del(nodeLease(this.nodeId));
  }

  async append(...frames: LaneFrame[]): Promise<void> {
    await this.appendBytes(encodeEntry(frames));
  }

  async appendBytes(entry: Buffer, skip = 0): Promise<void> {
    this.#last += 1 + skip;
    await this.#redis.xadd(lane(this.id), this.end, ENTRY_FIELD, entry);
  }

  async seal(): Promise<void> {
    const text = JSON.stringify({ event: "sealed", nodeId: this.nodeId } satisfies LaneEvent);
    await this.append({
      kind: "event",
      identity: "",
      version: "1.6",
      epoch: 0,
      seq: 0,
      receivedAtMs: Date.now(),
      text,
      flagged: false,
    });
  }
}
