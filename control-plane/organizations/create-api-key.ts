import type { SqlEntityManager } from "@mikro-orm/postgresql";
import type { Scope } from "../http/route.ts";
import { newId } from "../ids.ts";
import { hashApiKey, newApiKey } from "./api-key.ts";
import { ApiKeyEntity } from "./organization.entity.ts";

export interface NewApiKey {
  orgId: string;
  name: string;
  scopes: readonly Scope[];
  expiresAt?: Date | undefined;
}

export interface CreatedApiKey {
  id: string;
  /** Shown now and never again: only its hash is stored. */
  key: string;
  createdAt: Date;
}

/** Makes a key for an organisation, in the caller's transaction. */
export async function createApiKey(
  em: SqlEntityManager,
  { orgId, name, scopes, expiresAt }: NewApiKey,
): Promise<CreatedApiKey> {
  const key = newApiKey();
  const id = newId("key");
  const createdAt = new Date();
  await em.insert(ApiKeyEntity, {
    id,
    orgId,
    name,
    keyHash: hashApiKey(key),
    keyLast4: key.slice(-4),
    scopes: [...scopes],
    expiresAt: expiresAt ?? null,
    createdAt,
  });
  return { id, key, createdAt };
}
