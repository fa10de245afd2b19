import { lookup as resolveHost, type LookupAddress, type LookupAllOptions } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import { err, ok, type Result } from "@dynamo-csms/proto/result";
import { Agent, request } from "undici";
import { parseNetworks, refuseAddress, type Network } from "./address-rules.ts";

/** Where requests to addresses that other people chose may go. */
export interface TargetRules {
  /** Development only: http as well, any port, and loopback addresses. */
  allowPrivate: boolean;
  /** Plain http too: for what is signed itself (OCSP). Default: https alone. */
  plainHttp?: boolean;
  ports: readonly number[];
  /** CIDRs never to be reached, whatever they are: the cluster's own networks. */
  blockedNetworks: readonly string[];
}

interface GuardedRequest {
  url: string;
  method: "GET" | "POST";
  headers: Record<string, string>;
  body?: string | Buffer;
  /** From resolving the name to the last byte of the answer. */
  timeoutMs: number;
  /** What of the answer's body is kept; the rest is not even received. */
  maxResponseBytes: number;
}

interface GuardedResponse {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

/** `refused`: our rules forbid the target, nothing was sent. `failed`: it could not be reached or answered badly. */
interface NoResponse {
  kind: "refused" | "failed" | "timed-out";
  reason: string;
}

export interface GuardedFetch {
  send(request: GuardedRequest): Promise<Result<GuardedResponse, NoResponse>>;
  close(): Promise<void>;
}

/** The reason why a URL may not be a target whatever its name resolves to, or undefined. */
export function refuseTarget(text: string, rules: TargetRules): string | undefined {
  // The URL parser drops line breaks without a word: what is stored and shown would not be what is asked.
  if (!URL.canParse(text) || /[\s\p{Cc}]/u.test(text)) return "is not a URL";
  const url = new URL(text);
  const plainHttp = rules.allowPrivate || rules.plainHttp === true;
  if (url.protocol !== "https:" && !(plainHttp && url.protocol === "http:"))
    return plainHttp ? "must be http or https" : "must be https";
  if (url.username !== "" || url.password !== "") return "must not carry a user name or password";
  const port = url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
  if (!rules.allowPrivate && !rules.ports.includes(port))
    return `port ${port} is not allowed (allowed: ${rules.ports.join(", ")})`;
  // Number forms of IPv4 (decimal, octal, hexadecimal) are plain dotted ones here: the URL parser made them so.
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return isIP(host) === 0 ? undefined : refuseAddress(host, rules.allowPrivate, networksOf(rules));
}

/** `dns.lookup` with `all`: every address of a name. */
type ResolveAll = (
  hostname: string,
  options: LookupAllOptions,
  callback: (fault: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/**
 * An HTTP client for URLs that customers chose (webhook receivers, OCSP responders). It resolves the name itself, requires
 * every address of it to be a public one, and connects to one of exactly those, so that a name that resolves differently a
 * moment later changes nothing. Redirects are never followed and connections never reused.
 * @param resolve who knows the names; by default the system.
 */
export function createGuardedFetch(rules: TargetRules, resolve: ResolveAll = resolveHost): GuardedFetch {
  const networks = networksOf(rules);
  const lookup: LookupFunction = (hostname, options, callback) => {
    resolve(
      hostname,
      { all: true, family: options.family ?? 0, hints: options.hints ?? 0 },
      (fault, addresses: LookupAddress[]) => {
        if (fault) return callback(fault, []);
        const refusals = addresses.map(({ address }) => refuseAddress(address, rules.allowPrivate, networks));
        const refusal = refusals.find((reason) => reason !== undefined);
        const first = addresses[0];
        if (refusal !== undefined || first === undefined)
          return callback(new TargetRefused(refusal ?? "has no address"), []);
        if (options.all) callback(null, addresses);
        else callback(null, first.address, first.family);
      },
    );
  };
  // pipelining 0: one request per connection. Each attempt resolves and checks anew.
  const agent = new Agent({ connect: { lookup, timeout: 10_000 }, pipelining: 0, maxHeaderSize: 16_384 });

  return {
    async send({ url, method, headers, body, timeoutMs, maxResponseBytes }) {
      // undici does not call `lookup` for IP literals: those are refused here.
      const refusal = refuseTarget(url, rules);
      if (refusal !== undefined) return err({ kind: "refused", reason: `the URL ${refusal}` });
      const deadline = AbortSignal.timeout(timeoutMs);
      try {
        const response = await request(url, {
          method,
          headers,
          body: body ?? null,
          dispatcher: agent,
          signal: deadline,
        });
        const kept = await readUpTo(response.body, maxResponseBytes);
        return ok({ status: response.statusCode, headers: response.headers, body: kept });
      } catch (cause) {
        if (deadline.aborted) return err({ kind: "timed-out", reason: `no answer within ${timeoutMs / 1_000} s` });
        const refused = refusalIn(cause);
        if (refused !== undefined) return err({ kind: "refused", reason: `the host ${refused.message}` });
        return err({ kind: "failed", reason: reasonOf(cause) });
      }
    },
    // destroy and not close: a receiver that hangs must not hold up the stop; its attempt is made again.
    close: () => agent.destroy(),
  };
}

class TargetRefused extends Error {}

const networksOf = (rules: TargetRules): Network[] => parseNetworks(rules.blockedNetworks);

async function readUpTo(body: AsyncIterable<Buffer> & { destroy(): unknown }, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    chunks.push(chunk.subarray(0, maxBytes - bytes));
    bytes += chunk.length;
    // Leaving the loop destroys the body and with it the connection.
    if (bytes >= maxBytes) break;
  }
  return Buffer.concat(chunks);
}

function refusalIn(cause: unknown): TargetRefused | undefined {
  if (cause instanceof TargetRefused) return cause;
  if (cause instanceof AggregateError) return cause.errors.map(refusalIn).find((found) => found !== undefined);
  return cause instanceof Error && cause.cause !== undefined ? refusalIn(cause.cause) : undefined;
}

/** What a customer may read: a code, never an address that a name of theirs resolved to. */
function reasonOf(cause: unknown): string {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : undefined;
  const known: Record<string, string> = {
    ECONNREFUSED: "connection refused",
    ECONNRESET: "connection closed by the receiver",
    UND_ERR_SOCKET: "connection closed by the receiver",
    ENOTFOUND: "the host name does not resolve",
    EAI_AGAIN: "the host name does not resolve at the moment",
    UND_ERR_CONNECT_TIMEOUT: "no connection in time",
    ETIMEDOUT: "no connection in time",
    UND_ERR_HEADERS_OVERFLOW: "the answer's headers are too large",
  };
  if (code === undefined) return "the request failed";
  return (
    known[code] ??
    (code.includes("CERT") || code.includes("SSL") || code.includes("TLS")
      ? `the TLS certificate is not valid (${code})`
      : `the request failed (${code})`)
  );
}
