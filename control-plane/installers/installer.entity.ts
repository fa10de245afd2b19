import { defineEntity, type InferEntity, p } from "@mikro-orm/core";

export const InstallerEntity = defineEntity({
  name: "Installer",
  tableName: "installers",
  properties: {
    id: p.string().primary(),
    email: p.string(),
    /** The address case-folded: one account per address, beside any number of sign-ups that wait for their verification. */
    emailKey: p.string(),
    passwordHash: p.string(),
    passwordChangedAt: p.datetime(),
    fullName: p.string(),
    phone: p.string(),
    company: p.string(),
    status: p.enum(["pending_verification", "active", "disabled"]),
    verifiedAt: p.datetime().nullable(),
    createdAt: p.datetime(),
  },
});
export type Installer = InferEntity<typeof InstallerEntity>;

/** A link that was mailed; the link holds the token, the row its hash. */
export const InstallerTokenEntity = defineEntity({
  name: "InstallerToken",
  tableName: "installer_tokens",
  properties: {
    tokenHash: p.blob().primary(),
    installer: () => p.manyToOne(InstallerEntity),
    purpose: p.enum(["verify_email", "reset_password"]),
    expiresAt: p.datetime(),
    usedAt: p.datetime().nullable(),
    createdAt: p.datetime(),
  },
});
