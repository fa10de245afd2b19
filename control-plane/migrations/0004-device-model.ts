import { Migration } from "@mikro-orm/migrations";
import { HAPPENINGS } from "./device-model/happenings.ts";
import { ITEMS, VARIABLES } from "./device-model/variables.ts";

/** What stations report of themselves: variables, monitors, events, display messages, security events. */
export class Migration0004DeviceModel extends Migration {
  override up(): void {
    for (const statement of [VARIABLES, ITEMS, HAPPENINGS]) this.addSql(statement);
  }
}
