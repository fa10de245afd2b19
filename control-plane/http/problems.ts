/**
 * Every refusal the REST API can give (RFC 9457). The name is the contract: it is the problem's `code`, and its `type` is
 * `{PUBLIC_API_URL}/docs/problems/{code}`. Title and remedy say what always holds; the thrown detail says this case.
 */
export const PROBLEMS = {
  bad_json: { status: 400, title: "The body is not JSON", remedy: "Send a JSON object in UTF-8." },
  unknown_query_parameter: {
    status: 400,
    title: "Unknown query parameter",
    remedy: "Remove it; the API reference lists the parameters of this endpoint.",
  },
  unauthenticated: {
    status: 401,
    title: "Credentials are missing",
    remedy: "Send `Authorization: Bearer …` with an access token or an API key.",
  },
  invalid_credentials: {
    status: 401,
    title: "E-mail address or password is wrong",
    remedy: "Check both, or reset the password.",
  },
  invalid_token: {
    status: 401,
    title: "The access token is not valid",
    remedy: "Log in again with POST /api/v1/installer/login and use the new token.",
  },
  session_ended: {
    status: 401,
    title: "The session was ended by log-out or a new password",
    remedy: "Log in again with POST /api/v1/installer/login and use the new token.",
  },
  expired_token: {
    status: 401,
    title: "The access token has expired",
    remedy:
      "Tokens live 60 minutes. Log in again with POST /api/v1/installer/login; commissioning goes on where it stood.",
  },
  invalid_api_key: {
    status: 401,
    title: "The API key is not valid",
    remedy: "Check the key; a revoked or expired one must be replaced.",
  },
  email_not_verified: {
    status: 403,
    title: "The e-mail address is not verified",
    remedy: "Open the link in the mail, or ask for a new one with POST /api/v1/installer/resend-verification.",
  },
  account_disabled: { status: 403, title: "The account is closed", remedy: "Ask the operator of this service." },
  wrong_caller: {
    status: 403,
    title: "This kind of caller may not do this",
    remedy: "Installers use an access token, organisations an API key.",
  },
  missing_scope: {
    status: 403,
    title: "The API key lacks a scope",
    remedy: "Create a key with the scope that is named.",
  },
  not_found: {
    status: 404,
    title: "Not found",
    remedy: "Check the id. Things of other organisations and installers are not found either.",
  },
  project_not_found: {
    status: 404,
    title: "No such project",
    remedy:
      "GET /api/v1/installer/projects lists your projects. If it is missing there, ask the CPO to assign your installer_id to it.",
  },
  charge_point_not_found: {
    status: 404,
    title: "No such charge point",
    remedy: "Check the charge_point_id against the answer of its registration.",
  },
  method_not_allowed: {
    status: 405,
    title: "Method not allowed",
    remedy: "The Allow header names the methods of this address.",
  },
  not_acceptable: {
    status: 406,
    title: "No answer in the wanted type",
    remedy: "Send `Accept: application/json`, or no Accept header.",
  },
  request_timeout: { status: 408, title: "The body came too slowly", remedy: "Send the request again." },
  conflict: { status: 409, title: "The state does not allow this", remedy: "Read the current state and decide anew." },
  duplicate_serial_number: {
    status: 409,
    title: "The serial number is registered in this project",
    remedy: "Use the charge_point_id that is named; its password can be rotated if it was lost.",
  },
  project_handed_over: {
    status: 409,
    title: "The project was handed over",
    remedy: "It is locked for installers. Ask the CPO to reopen it.",
  },
  wrong_ocpp_version: {
    status: 409,
    title: "The charge point speaks another OCPP version",
    remedy: "Use the send_command address of its version; the charge point's ocpp_version says which.",
  },
  handover_blocked: {
    status: 409,
    title: "Not every charge point is commissioned",
    remedy:
      "Finish the commissioning of each unit that is named, or take one that was registered by mistake out of the project with DELETE /api/v1/installer/charge-points/{charge_point_id}; then hand over again.",
  },
  idempotency_running: {
    status: 409,
    title: "The first request with this Idempotency-Key is still running",
    remedy: "Wait a moment and repeat the same request.",
  },
  idempotency_unknown: {
    status: 409,
    title: "What became of the first request with this Idempotency-Key is not known",
    remedy:
      "It was interrupted, and is not done again under this key. Look whether it was done; if not, send it with a new key.",
  },
  token_used: { status: 410, title: "The link has expired or was used", remedy: "Ask for a new one." },
  body_too_large: { status: 413, title: "The body is too large", remedy: "Bodies are limited to 1 MiB." },
  unsupported_media_type: {
    status: 415,
    title: "Unsupported content type",
    remedy: "Send Content-Type: application/json.",
  },
  validation_failed: {
    status: 422,
    title: "The request does not fit its schema",
    remedy: "Each entry of `errors` names a field and what is expected there.",
  },
  idempotency_mismatch: {
    status: 422,
    title: "The Idempotency-Key was used for another request",
    remedy: "Use a new key for a new request.",
  },
  rate_limited: { status: 429, title: "Too many requests", remedy: "Wait as long as Retry-After says." },
  internal: {
    status: 500,
    title: "Something went wrong on our side",
    remedy: "Try again; if it stays, report the request_id.",
  },
  unavailable: { status: 503, title: "The service cannot answer now", remedy: "Try again after Retry-After." },
} as const satisfies Record<string, { status: number; title: string; remedy: string }>;

export type ProblemName = keyof typeof PROBLEMS;

export interface FieldError {
  /** JSON Pointer into the body (RFC 6901), or `?name` for a query parameter. */
  pointer: string;
  code: string;
  detail: string;
}

export interface ProblemExtras {
  errors?: FieldError[];
  /** Replaces the general remedy where this case has a better one. */
  remedy?: string;
  retryAfterSeconds?: number;
  headers?: Record<string, string>;
  /** Extension members of the document. */
  members?: Record<string, unknown>;
}

/** Thrown by route handlers alone; problem-document.ts turns it into application/problem+json in one place. */
export class ProblemError extends Error {
  readonly problem: ProblemName;
  readonly extras: ProblemExtras;

  constructor(problem: ProblemName, detail: string, extras: ProblemExtras = {}) {
    super(detail);
    this.name = "ProblemError";
    this.problem = problem;
    this.extras = extras;
  }
}
