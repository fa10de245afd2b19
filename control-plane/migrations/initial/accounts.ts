/** Organisations and their API keys. */
export const ORGANIZATIONS = `
create table organizations (
  id text primary key,
  name text not null,
  contact_email text,
  created_at timestamptz not null default now()
);
create table api_keys (
  id text primary key,
  org_id text not null references organizations,
  name text not null,
  key_hash bytea not null unique,
  key_last4 text not null,
  scopes text[] not null,
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz,
  created_at timestamptz not null default now()
);
create index on api_keys (org_id);`;

/** Installers, the links mailed to them, and access tokens that were ended. */
export const INSTALLERS = `
create table installers (
  id text primary key,
  email text not null,
  email_key text not null,
  password_hash text not null,
  password_changed_at timestamptz not null default now(),
  full_name text not null,
  phone text not null,
  company text not null,
  status text not null check (status in ('pending_verification', 'active', 'disabled')),
  verified_at timestamptz,
  created_at timestamptz not null default now()
);
create unique index installers_one_account on installers (email_key) where status <> 'pending_verification';
create index on installers (email_key);
comment on table installers is 'accounts, and sign-ups that wait for their verification: each sign-up is a row with its own password, whoever made it, and the first whose link is opened becomes the account';
comment on column installers.email_key is 'the address case-folded: one account per address';
create table installer_tokens (
  token_hash bytea primary key,
  installer_id text not null references installers on delete cascade,
  purpose text not null check (purpose in ('verify_email', 'reset_password')),
  expires_at timestamptz not null,
  used_at timestamptz,
  created_at timestamptz not null default now()
);
create index on installer_tokens (installer_id);
create table revoked_access_tokens (
  jti text primary key,
  expires_at timestamptz not null
);`;

/** Answers kept for repeated requests. */
export const API = `
create table idempotency_keys (
  caller text not null,
  key text not null,
  fingerprint bytea not null,
  status integer,
  sealed_answer text,
  created_at timestamptz not null default now(),
  primary key (caller, key)
);
comment on column idempotency_keys.status is 'null while the first request is still running';
create index on idempotency_keys (created_at);`;
