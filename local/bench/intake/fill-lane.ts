import { encodeCall } from "@dynamo-csms/proto/ocpp-frame";
import { LANES, LEASE_MS, lane, laneLease, nodeLease } from "@dynamo-csms/proto/redis-keys";
import { ENTRY_FIELD, EntryBuilder, framePrefix } from "@dynamo-csms/proto/stream-entry";
import type { Redis } from "ioredis";
import type { FleetStation } from "./fleet.ts";

/** What charge points of 1.6 say, in the mix of a lane: half readings, three tenths heartbeats, a fifth statuses. */
const MIX = ["MeterValues", "Heartbeat", "MeterValues", "StatusNotification", "MeterValues"] as const;
const MIX_OF_TEN = [...MIX, "MeterValues", "Heartbeat", "StatusNotification", "MeterValues", "Heartbeat"] as const;
const STATUSES = ["Available", "Preparing", "Charging", "SuspendedEV", "Finishing"] as const;

/** How many entries one XADD pipeline takes to Redis. */
const PIPELINED = 200;

/** A connected fleet, which goes on where it was from one lane to the next. */
export class SpeakingFleet {
  readonly #stations: readonly FleetStation[];
  readonly #said: number[];
  #turn = 0;
  #messageId = 0;

  constructor(stations: readonly FleetStation[]) {
    this.#stations = stations;
    this.#said = stations.map(() => 0);
  }

  /**
   * Writes a lane as a busy gateway does, and registers it last: no intake looks for it while it is filled. Each station
   * says the next message of the mix in its turn, and the stations take turns at random.
   * @returns the id of its last entry.
   */
  async fillLane(
    redis: Redis,
    laneId: string,
    { frames, framesPerEntry }: { frames: number; framesPerEntry: number },
  ): Promise<string> {
    const builder = new EntryBuilder();
    // As epochs are: the clock of Redis.
    const epoch = Date.now();
    const prefixes = this.#stations.map(({ identity }) => framePrefix("1.6", epoch, identity));
    const seqs = this.#stations.map(() => 0);
    let entries = 0;
    let pipeline = redis.pipeline();
    for (let made = 0; made < frames;) {
      const nowMs = Date.now();
      for (let n = 0; n < framesPerEntry; n += 1, made += 1) {
        const place = Math.floor(Math.random() * this.#stations.length);
        const seq = ((seqs[place] as number) += 1);
        builder.add(prefixes[place] as Buffer, 0, seq, nowMs, Buffer.from(this.#says(place, nowMs)), undefined);
      }
      entries += 1;
      pipeline.xadd(lane(laneId), `${entries}-0`, ENTRY_FIELD, builder.finish());
      if (entries % PIPELINED === 0) {
        await pipeline.exec();
        pipeline = redis.pipeline();
      }
    }
    await pipeline.exec();
    const nodeId = `node-${laneId}`;
    await redis.set(laneLease(laneId), nodeId, "PX", LEASE_MS * 100);
    await redis.set(nodeLease(nodeId), JSON.stringify({ laneId, startedAtMs: epoch }), "PX", LEASE_MS * 100);
    await redis.hset(LANES, laneId, JSON.stringify({ nodeId, startedAtMs: epoch }));
    return `${entries}-0`;
  }

  #says(place: number, nowMs: number): string {
    const { transactionId } = this.#stations[place] as FleetStation;
    const said = ((this.#said[place] as number) += 1);
    const messageId = String((this.#messageId += 1)).padStart(19, "0");
    // Not in step: at any moment some read their meters and others do not.
    const action = MIX_OF_TEN[(place + said) % MIX_OF_TEN.length] as (typeof MIX)[number];
    if (action === "Heartbeat") return encodeCall(messageId, action, "{}");
    this.#turn += 1;
    const at = new Date(nowMs).toISOString();
    if (action === "StatusNotification") {
      const status = STATUSES[this.#turn % STATUSES.length];
      const payload = { connectorId: 1, errorCode: "NoError", info: "plugged in", status, timestamp: at };
      return encodeCall(
        messageId,
        action,
        JSON.stringify({ ...payload, vendorId: "example.com", vendorErrorCode: "0" }),
      );
    }
    // A station's readings lie a second apart, however fast they are played.
    const sampledAt = new Date(Math.floor(nowMs / 86_400_000) * 86_400_000 + said * 1_000).toISOString();
    return encodeCall(messageId, action, meterValues(transactionId, sampledAt, said));
  }
}

function meterValues(transactionId: number, timestamp: string, said: number): string {
  const periodic = { context: "Sample.Periodic" };
  const sampledValue = [
    { value: String(1_000_000 + said * 31), ...periodic, measurand: "Energy.Active.Import.Register", unit: "Wh" },
    { value: `${11_000 + (said % 90)}.5`, ...periodic, measurand: "Power.Active.Import", unit: "W" },
    { value: `15.${said % 10}`, ...periodic, measurand: "Current.Import", phase: "L1", unit: "A" },
    { value: `23${said % 10}.0`, ...periodic, measurand: "Voltage", phase: "L1-N", unit: "V" },
    { value: String(said % 100), measurand: "SoC", unit: "Percent" },
  ];
  return JSON.stringify({ connectorId: 1, transactionId, meterValue: [{ timestamp, sampledValue }] });
}
