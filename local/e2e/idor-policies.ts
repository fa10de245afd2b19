import type { Operation } from "./openapi-operations.ts";

/**
 * Who may do what, written down a second time and by hand: a route is open to those whom this table names, and to nobody
 * whom only its own declaration names.
 * - anyone: it shows nothing of anybody's, or to who has a secret that was mailed
 * - certificate: public in the document, because a link opens it; without the link, for the project's installer and operator
 * - self: the caller's own account, which no id names; endsSession: and its session ends with it
 * - assigned: installers, for projects that they are assigned to and what belongs to these
 * - a scope: API keys of the organisation whose things they are, with that scope
 */
const POLICIES = {
  anyone: [
    ...["signUpInstaller", "logInInstaller", "openVerificationLink", "verifyEmail", "resendVerification"],
    ...["forgotPassword", "openResetLink", "resetPassword", "verifyCertificate"],
    ...["getJwks", "getOpenApi", "getDocs", "getDocsAsset", "getProblemPage"],
  ],
  certificate: ["downloadCertificate"],
  self: ["getInstaller", "listInstallerProjects"],
  endsSession: ["logOutInstaller", "closeInstallerAccount"],
  assigned: [
    ...["getInstallerProject", "registerChargePoint", "listInstallerChargePoints", "getInstallerChargePoint"],
    ...["updateChargePoint", "removeChargePoint", "rotateProvisioningPassword", "listInstallerConnectionAttempts"],
    ...["startCommissioning", "getCommissioning", "getCommissioningStatus", "watchCommissioning", "completeHandover"],
  ],
  "read:projects": ["listProjects", "getProject", "getProjectCertificate", "getCertificateLink"],
  "write:projects": [
    ...["createProject", "updateProject", "reopenProject", "assignInstaller", "removeInstaller"],
    "replaceCertificateLink",
  ],
  "read:charge_points": [
    ...["listChargePoints", "getChargePoint", "getCredentialRotation", "listCertificates", "listCertificateRequests"],
    ...["listInstalledCertificates", "listVariables", "listMonitors", "getMonitoringSettings", "listEvents"],
    ...["listSecurityEvents", "listOrganizationSecurityEvents", "listDisplayMessages", "listDerControls"],
    ...["listTariffs", "listEventStreams", "listNotices", "listBatterySwaps", "listConnectionAttempts"],
    ...["listQuirkProfiles", "getQuirkProfile", "getChargePointQuirks", "listCommands", "getCommand"],
    ...["listReservations", "listChargingProfiles", "listChargingLimits", "getLocalList", "listFirmwareUpdates"],
    ...["listLogUploads", "getAvailability", "listHardware"],
  ],
  "write:charge_points": [
    ...["retireChargePoint", "changeSecurityProfile", "rotateCredentials", "revokeCertificate", "createQuirkProfile"],
    ...["changeQuirkProfile", "deleteQuirkProfile", "setChargePointQuirks", "sendBulkCommand", "ocpp16SendCommand"],
    ...["ocpp201SendCommand", "ocpp21SendCommand", "sendOperatorCommand", "cancelCommand", "syncLocalList"],
    ...["replaceHardware", "moveChargePoint", "replayDeadLetters", "replayDeadLetter", "discardDeadLetter"],
  ],
  "read:messages": ["listMessages", "streamMessages", "listDataTransfers", "listDeadLetters", "getDeadLetter"],
  "read:sessions": ["listSessions", "getSession", "listSessionMeterValues"],
  "read:webhooks": ["listWebhookEndpoints", "getWebhookEndpoint", "listWebhookDeliveries"],
  "write:webhooks": [
    ...["createWebhookEndpoint", "changeWebhookEndpoint", "deleteWebhookEndpoint", "rotateWebhookSecret"],
    ...["testWebhookEndpoint", "retryWebhookDelivery"],
  ],
  "read:id_tokens": ["listIdTokens", "getIdToken"],
  "write:id_tokens": ["createIdToken", "importIdTokens", "changeIdToken", "deleteIdToken"],
  "read:api_keys": ["listApiKeys"],
  "write:api_keys": ["createApiKey", "revokeApiKey"],
  "read:audit_log": ["listAuditLog"],
  "write:personal_data": ["erasePersonalData", "getErasure"],
} as const satisfies Record<string, readonly string[]>;

export type Policy = keyof typeof POLICIES;

const BY_OPERATION: ReadonlyMap<string, Policy> = new Map(
  Object.entries(POLICIES).flatMap(([policy, ids]) => ids.map((id) => [id, policy as Policy] as const)),
);

/** The policy of an operation. Throws for one without: `policyGaps` is to be asked first. */
export function policyOf({ id }: Operation): Policy {
  const policy = BY_OPERATION.get(id);
  if (policy === undefined) throw new Error(`${id} has no policy`);
  return policy;
}

/** What of the table and of the document's operations does not fit together: empty when each has the policy that it declares. */
export function policyGaps(operations: readonly Operation[]): string[] {
  const there = new Set(operations.map(({ id }) => id));
  const gone = [...BY_OPERATION.keys()].filter((id) => !there.has(id)).map((id) => `${id}: is no operation any more`);
  return [
    ...gone,
    ...operations.flatMap((operation) => {
      const policy = BY_OPERATION.get(operation.id);
      if (policy === undefined) return [`${operation.id}: no policy says who may call it`];
      const declared = declaredBy(operation);
      return declared === DECLARED[policy] || declared === policy
        ? []
        : [`${operation.id}: declares ${declared}, and its policy is ${policy}`];
    }),
  ];
}

/** What operations of these policies say of themselves; the others declare the scope that they are named after. */
const DECLARED: Partial<Record<Policy, string>> = {
  anyone: "public",
  certificate: "public",
  self: "installer",
  endsSession: "installer",
  assigned: "installer",
};

const declaredBy = ({ access, scope }: Operation): string => (access === "organization" ? String(scope) : access);
