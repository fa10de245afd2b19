import type { OcppVersion } from "@dynamo-csms/proto/ocpp-version";
import { VirtualChargePoint } from "../virtual-charge-point.ts";
import { until, type Speaker } from "./http.ts";
import type { Transcript } from "./transcript.ts";

interface Registered {
  charge_point_id: string;
  ocpp_endpoint: string;
  provisioning_password: string;
}

interface Unit {
  version: OcppVersion;
  serialNumber: string;
  vendor: string;
  model: string;
  firmwareVersion: string;
  connectors: number;
  maxPowerKw: number;
  bay: string;
}

export interface Commissioning {
  commissioning_id: string;
  status: string;
  checks: { name: string; status: string; value?: string; cause?: string; remedy?: string }[];
}

/** Registers a unit with what its label says, and puts URL and password into the virtual one. */
export async function registerAndConnect(
  unit: Unit,
  projectId: string,
  gatewayUrl: string,
  installer: Speaker,
  transcript: Transcript,
): Promise<VirtualChargePoint> {
  const registered = await installer<Registered>(
    "POST",
    "/api/v1/installer/charge-points",
    { status: 201 },
    {
      project_id: projectId,
      serial_number: unit.serialNumber,
      model: unit.model,
      vendor: unit.vendor,
      ocpp_version: unit.version,
      max_power_kw: unit.maxPowerKw,
      connector_count: unit.connectors,
      location: { latitude: 51.5074, longitude: -0.1278, description: unit.bay },
    },
  );
  // The endpoint names the first node; here the units are spread over the nodes, as a load balancer would.
  const path = new URL(registered.ocpp_endpoint).pathname.split("/").slice(0, -1).join("/");
  const id = registered.charge_point_id;
  const station = new VirtualChargePoint(
    { ...unit, chargePointId: id, password: registered.provisioning_password, endpoints: [`${gatewayUrl}${path}`] },
    {
      onExchange: ({ from, text }) => transcript.frame(`${id} (${unit.version})`, from === "station" ? "→" : "←", text),
    },
  );
  await station.start();
  transcript.note(`${id} is connected to ${gatewayUrl} and accepted`);
  return station;
}

/** Starts the commissioning and watches it until it is over. */
export async function commission(chargePointId: string, installer: Speaker): Promise<Commissioning> {
  const started = await installer<Commissioning>(
    "POST",
    `/api/v1/installer/commissioning/${chargePointId}/start`,
    { status: 202 },
    {
      run_connectivity_test: true,
      run_meter_calibration: true,
      notes: "Installed in underground car park — check signal strength.",
    },
  );
  if (started.status !== "in_progress") return started;
  return until(`the end of ${started.commissioning_id}`, async () => {
    const now = await installer<Commissioning>("GET", `/api/v1/installer/commissioning/${chargePointId}`, {
      status: 200,
    });
    return now.status === "in_progress" ? undefined : now;
  });
}
