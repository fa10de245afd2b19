import { expect, test } from "vitest";
import { needOf, type ScalingInput, scalingTable } from "./scaling-table.ts";

const process = (name: string, cores: number, cpuMicrosecondsPerMessage: number, megabytes = 100) => ({
  name,
  cores,
  cpuMicrosecondsPerMessage,
  cpuMicrosecondsPerConnect: 4_000,
  memory: [0, 0, megabytes * 1e6] as [number, number, number],
});
const input: ScalingInput = {
  calm: {
    stations: { "1.6": 10_000 },
    mostConnections: 10_000,
    phases: [],
    processes: [process("gateway-1", 0.05, 500), process("gateway-2", 0.05, 500)],
  },
  busy: {
    stations: { "1.6": 20_000 },
    phases: [],
    processes: [
      process("decisions", 0.1, 50),
      process("intake-1", 0.1, 100),
      process("redis", 0.1, 20),
      process("postgres", 0.3, 200),
    ],
    bytesPerMessage: { sent: 300, received: 100, database: 500, wal: 1_000 },
    ledger: { answered: 1, found: 1, byAction: {}, transactions: { started: 0, ended: 0 }, commands: 0, breaches: [] },
  },
  messagesPerStation: 0.0075,
  pingSeconds: 25,
  handshakesPerSecond: 500,
};

test("a fleet needs what its messages and connections cost, and half a core to spare in every process", () => {
  const need = needOf(1_000_000, input);
  expect(need).toMatchObject({ messagesPerSecond: 7_500, pingsPerSecond: 40_000, gateways: 51, intakes: 3 });
  expect(need.gatewayCores).toBeCloseTo(10);
  expect(need.backInSeconds).toBeCloseTo(40);
  expect(need.intakeCores).toBeCloseTo(0.75);
  expect(need.postgresCores).toBeCloseTo(1.5);
  expect(need.redisGigabytes).toBeCloseTo(5);
  expect(need.postgresGigabytesPerDay).toBeCloseTo(324);
  expect(need.bootCoreSeconds).toBeCloseTo(16_000);
  // 7,500 messages of 400 bytes with 200 around them; 40,000 pings of 208 bytes; 300 bytes of each message three times.
  expect(need.messageMegabits).toBeCloseTo(36);
  expect(need.pingMegabits).toBeCloseTo(66.56);
  expect(need.laneMegabits).toBeCloseTo(54);
});

test("a small fleet has two gateways and one to spare", () => {
  expect(needOf(1_000, input)).toMatchObject({ gateways: 3, intakes: 2 });
});

test("the table has a column for each size and says how each row came about", () => {
  const table = scalingTable([10_000, 1_000_000], input).split("\n");
  expect(table[0]).toBe("| stations | 10,000 | 1,000,000 | how |");
  expect(table.filter((line) => !line.startsWith("|---")).every((line) => line.split(" | ").length === 4)).toBe(true);
  expect(table.find((line) => line.startsWith("| network at the gateways, pings"))).toContain(
    "8.3 B a second, beside 4.5",
  );
  expect(table.find((line) => line.startsWith("| intake: cores"))).toContain("100 µs a message (busy)");
});
