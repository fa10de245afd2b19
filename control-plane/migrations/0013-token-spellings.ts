import { Migration } from "@mikro-orm/migrations";

// Nullable, without a default: no row is rewritten, and the previous release goes on writing rows without them.
const SPELLINGS = `
alter table id_tokens add column spelling text, add column group_spelling text;
comment on column id_tokens.spelling is 'of token, as it was entered; null: entered before there were spellings';
comment on column id_tokens.group_spelling is 'of group_token; counts only while it is the same but for case, since the previous release changes group_token alone';`;

/** Id tokens are told as they are spelled, and found in any case. */
export class Migration0013TokenSpellings extends Migration {
  override up(): void {
    this.addSql(SPELLINGS);
  }
}
