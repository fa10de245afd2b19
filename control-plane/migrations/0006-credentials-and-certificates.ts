// The handover certificates of projects have the table `certificates` (0001): those of stations are station_certificates.
import { Migration } from "@mikro-orm/migrations";

const PASSWORD_CHANGES = `
alter table station_verifiers
  drop constraint station_verifiers_slot_check,
  add constraint station_verifiers_slot_check check (slot in ('current', 'current_text', 'pending', 'pending_text'));
comment on column station_verifiers.slot is 'the _text ones: the digits of a hexadecimal key taken literally, until the first login tells which of the two the station sends';
create table password_changes (
  id text primary key,
  station_id bigint not null references stations on delete cascade,
  org_id text not null references organizations,
  ocpp_version text not null,
  state text not null check (state in ('preparing', 'queued', 'unconfirmed', 'accepted', 'confirmed', 'rejected', 'not_sent', 'replaced')),
  sealed_password text,
  repeats boolean not null,
  attempts integer not null default 0,
  perhaps_set boolean not null default false,
  command_id text,
  next_step_at timestamptz,
  requested_by text not null,
  created_at timestamptz not null default now(),
  closed_at timestamptz,
  confirmed_at timestamptz
);
comment on table password_changes is 'changes of a station''s password over OCPP; one open per station';
comment on column password_changes.state is 'unconfirmed: may be in force at the station, both passwords are accepted; accepted: the station said so, the old one is refused; confirmed: it logged in with the new one';
comment on column password_changes.perhaps_set is 'an attempt ended so that the station may have taken it: a later "no" does not take the new password back';
comment on column password_changes.repeats is 'ours to send again while its outcome is unknown; a command that an operator sent word by word is not';
create unique index password_changes_one_open on password_changes (station_id) where closed_at is null;
create index on password_changes (station_id, created_at desc);
create index password_changes_not_confirmed on password_changes (station_id) where state = 'accepted' and confirmed_at is null;
create index on password_changes (next_step_at) where next_step_at is not null;
create unique index password_changes_command on password_changes (command_id) where command_id is not null;`;

const CERTIFICATES = `
create table certificate_requests (
  id text primary key,
  station_id bigint not null references stations on delete cascade,
  org_id text not null references organizations,
  certificate_type text not null,
  csr_hash bytea not null,
  csr text not null,
  request_number bigint,
  state text not null check (state in ('rejected', 'accepted', 'issued', 'installed', 'failed')),
  reason text,
  times_asked integer not null default 1,
  epoch bigint not null,
  seq integer not null,
  attempts integer not null default 0,
  command_id text,
  due_at timestamptz,
  created_at timestamptz not null default now(),
  asked_at timestamptz not null default now(),
  unique (station_id, certificate_type, csr_hash)
);
comment on table certificate_requests is 'SignCertificate; business key (station, type, hash of the CSR): asked again, it is the same request';
comment on column certificate_requests.request_number is 'requestId of 2.1, repeated in CertificateSigned';
comment on column certificate_requests.due_at is 'when it is to be issued (accepted) or handed to the station again (issued)';
create index on certificate_requests (due_at) where due_at is not null;
create index on certificate_requests (station_id, created_at);
create unique index certificate_requests_command on certificate_requests (command_id) where command_id is not null;
create table station_certificates (
  id text primary key,
  station_id bigint not null references stations on delete cascade,
  org_id text not null references organizations,
  request_id text not null unique references certificate_requests on delete cascade,
  certificate_type text not null,
  fingerprint text not null,
  serial_number text not null,
  subject text not null,
  issuer text not null,
  not_before timestamptz not null,
  not_after timestamptz not null,
  chain text not null,
  state text not null default 'issued' check (state in ('issued', 'installed', 'superseded', 'refused', 'revoked')),
  installed_at timestamptz,
  first_used_at timestamptz,
  revoked_at timestamptz,
  revocation_reason text,
  revocation_due_at timestamptz,
  renewal_asked_at timestamptz,
  created_at timestamptz not null default now()
);
comment on table station_certificates is 'client certificates that our authority issued; each is accepted until it expires or is revoked, whatever came after it';
comment on column station_certificates.fingerprint is 'SHA-256 of the certificate, lower-case hex';
comment on column station_certificates.revocation_due_at is 'when the authority is to be told of the revocation (again)';
create unique index on station_certificates (station_id, fingerprint);
create index on station_certificates (station_id, created_at desc);
create index certificates_to_renew on station_certificates (not_after) where state = 'installed';
create index on station_certificates (revocation_due_at) where revocation_due_at is not null;
create table installed_certificates (
  station_id bigint not null references stations on delete cascade,
  certificate_type text not null,
  hash_algorithm text not null,
  issuer_name_hash text not null,
  issuer_key_hash text not null,
  serial_number text not null,
  children jsonb not null default '[]',
  reported_at timestamptz not null,
  primary key (station_id, certificate_type, hash_algorithm, issuer_name_hash, issuer_key_hash, serial_number)
);
comment on table installed_certificates is 'what the station said that it has installed (GetInstalledCertificateIds)';
create table installed_certificate_reports (
  station_id bigint not null references stations on delete cascade,
  certificate_type text not null,
  reported_at timestamptz not null,
  primary key (station_id, certificate_type)
);
comment on table installed_certificate_reports is 'when the station last told of a type: an older answer changes nothing';`;

/** Password changes under way, certificate requests, issued certificates. */
export class Migration0006CredentialsAndCertificates extends Migration {
  override up(): void {
    this.addSql(PASSWORD_CHANGES);
    this.addSql(CERTIFICATES);
  }
}
