import { randomInt } from "node:crypto";
import { seal, type SecretsKey, unseal } from "@dynamo-csms/proto/sealed-secret";
import type { Logger } from "pino";
import { type Sql, sqlOn } from "../database.ts";
import { describeFault } from "../fault-kind.ts";
import { newId } from "../ids.ts";
import { eraseEmail } from "./erase-email.ts";
import { eraseToken, type EraseDeps } from "./erase-token.ts";

export type ErasureKind = "id_token" | "email";

const LETTERS = "abcdefghjkmnpqrstvwxyz0123456789";

/** 17 characters: fits an idTag of 1.6 (CiString20). */
const newPseudonym = () => `erased-${Array.from({ length: 10 }, () => LETTERS[randomInt(LETTERS.length)]).join("")}`;

const subjectContext = (id: string) => `erasures.sealed_subject:${id}`;

/** Writes down that somebody is to be forgotten. @param subject the token or address. @returns the erasure's id. */
export async function requestErasure(
  sql: Sql,
  secretsKey: SecretsKey,
  request: { orgId: string; kind: ErasureKind; subject: string; requestedBy: string },
): Promise<string> {
  const id = newId("era");
  await sql.query(
    `insert into erasures (id, org_id, kind, sealed_subject, pseudonym, requested_by) values ($1, $2, $3, $4, $5, $6)`,
    [
      id,
      request.orgId,
      request.kind,
      seal(secretsKey, subjectContext(id), request.subject.toLowerCase()),
      newPseudonym(),
      request.requestedBy,
    ],
  );
  return id;
}

interface WaitingErasure {
  id: string;
  org_id: string;
  kind: ErasureKind;
  sealed_subject: string;
  pseudonym: string;
}

/** Carries out what was asked for, one after the other; what fails is tried again by the next sweep, from its beginning. */
export async function carryOutErasures(deps: EraseDeps & { secretsKey: SecretsKey; log: Logger }): Promise<void> {
  const sql = sqlOn(deps.pool);
  const waiting = await sql.query<WaitingErasure>(
    `select id, org_id, kind, sealed_subject, pseudonym from erasures where finished_at is null and sealed_subject is not null order by requested_at limit 20`,
  );
  for (const { id, org_id: orgId, kind, sealed_subject: sealed, pseudonym } of waiting) {
    try {
      const subject = unseal(deps.secretsKey, subjectContext(id), sealed);
      const counts =
        kind === "id_token"
          ? await eraseToken(deps, orgId, subject, pseudonym)
          : await eraseEmail(sql, orgId, subject, deps.eventPageSize);
      await sql.query(
        `update erasures set finished_at = now(), sealed_subject = null, counts = $2, last_error = null where id = $1`,
        [id, JSON.stringify(counts)],
      );
      deps.log.info({ erasure: id, counts }, "personal data erased");
    } catch (fault) {
      const reason = describeFault(fault);
      await sql.query(`update erasures set last_error = $2 where id = $1`, [id, reason]);
      deps.log.error({ erasure: id, reason }, "personal data not erased yet");
    }
  }
}
