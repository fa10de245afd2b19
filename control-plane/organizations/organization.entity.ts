import { defineEntity, p } from "@mikro-orm/core";

export const OrganizationEntity = defineEntity({
  name: "Organization",
  tableName: "organizations",
  properties: {
    id: p.string().primary(),
    name: p.string(),
    contactEmail: p.string().nullable(),
    createdAt: p.datetime(),
  },
});

export const ApiKeyEntity = defineEntity({
  name: "ApiKey",
  tableName: "api_keys",
  properties: {
    id: p.string().primary(),
    orgId: p.string(),
    name: p.string(),
    keyHash: p.blob().unique(),
    /** So that people can tell their keys apart. */
    keyLast4: p.string(),
    scopes: p.array(),
    expiresAt: p.datetime().nullable(),
    lastUsedAt: p.datetime().nullable(),
    revokedAt: p.datetime().nullable(),
    createdAt: p.datetime(),
  },
});
