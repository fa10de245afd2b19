/** Projects, who works on them, and when they were unlocked again. */
export const PROJECTS = `
create table projects (
  id text primary key,
  org_id text not null references organizations,
  name text not null,
  site_address text not null,
  charge_points_expected integer not null check (charge_points_expected >= 0),
  site_owner_name text,
  site_owner_email text,
  status text not null default 'in_progress' check (status in ('in_progress', 'handed_over')),
  handed_over_at timestamptz,
  created_at timestamptz not null default now()
);
create index on projects (org_id, created_at, id);
create table project_installers (
  project_id text not null references projects on delete cascade,
  installer_id text not null references installers,
  assigned_at timestamptz not null default now(),
  primary key (project_id, installer_id)
);
create index on project_installers (installer_id);
create table project_reopenings (
  id bigint generated always as identity primary key,
  project_id text not null references projects on delete cascade,
  api_key_id text not null references api_keys,
  reason text not null,
  handed_over_at timestamptz not null,
  reopened_at timestamptz not null default now()
);
comment on table project_reopenings is 'audit: who unlocked a project after which handover, and why';`;

/** Handovers and their certificates. */
export const HANDOVER = `
create table handovers (
  project_id text primary key references projects on delete cascade,
  installer_id text not null references installers,
  signed_by text not null,
  handover_notes text not null,
  site_contact_name text not null,
  site_contact_email text not null,
  handed_over_at timestamptz not null,
  warnings text[] not null default '{}'
);
create table certificates (
  project_id text primary key references projects on delete cascade,
  pdf bytea not null,
  sha256 bytea not null,
  link_token_sealed text not null,
  link_token_hash bytea not null unique,
  created_at timestamptz not null default now()
);`;
