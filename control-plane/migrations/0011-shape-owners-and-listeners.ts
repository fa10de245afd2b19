import { Migration } from "@mikro-orm/migrations";

/** Which station introduced a shape of readings, for they are bounded; by which listener a station came in. */
export class Migration0011ShapeOwnersAndListeners extends Migration {
  override up(): void {
    this.addSql(`
alter table meter_shapes add column introduced_by bigint;
comment on column meter_shapes.introduced_by is 'the station that sent it first, which may introduce only so many; null: before this was noted';
create index on meter_shapes (introduced_by);
alter table station_connections add column listener smallint;
comment on column station_connections.listener is '1 plain, 2 TLS, 3 mutual TLS; null: the gateway did not say';`);
  }
}
