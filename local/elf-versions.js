// Plain JavaScript: runs on Node 18 and later, before the project's own Node is installed.

const SHT_DYNSYM = 11;
const SHT_GNU_VERNEED = 0x6ffffffe;
const SHT_GNU_VERSYM = 0x6fffffff;
const HIDDEN = 0x8000;

/**
 * Turns imports of a newer glibc's symbol version into imports of the base version, by dropping a name prefix:
 * `__isoc23_strtol@GLIBC_2.38` becomes `strtol@GLIBC_2.2.5`. The requirement for the newer version is taken out.
 * Nothing moves: the shorter name is the tail of the longer one in the string table, and undefined symbols are not
 * part of the GNU hash table.
 *
 * @param {Buffer} original a little-endian 64-bit ELF shared object
 * @param {{ library: string, from: string, to: string, prefix: string }} change
 * @returns {Buffer} the changed copy
 * @throws when the object is of another kind or holds imports of that version without the prefix
 */
export function lowerImportVersion(original, change) {
  const elf = Buffer.from(original);
  if (elf.readUInt32BE(0) !== 0x7f454c46 || elf[4] !== 2 || elf[5] !== 1)
    throw new Error("not a little-endian 64-bit ELF object");
  const sections = readSections(elf);
  const symbols = only(sections, SHT_DYNSYM);
  const strings = /** @type {Section} */ (sections[symbols.link]);
  const text = (/** @type {number} */ at) =>
    elf.toString("latin1", strings.offset + at, elf.indexOf(0, strings.offset + at));

  const needs = readNeeds(elf, only(sections, SHT_GNU_VERNEED), text);
  const from = needs.find((need) => need.library === change.library && need.version === change.from);
  const to = needs.find((need) => need.library === change.library && need.version === change.to);
  if (!from || !to)
    throw new Error(`the object does not need both ${change.from} and ${change.to} of ${change.library}`);

  const versions = only(sections, SHT_GNU_VERSYM);
  for (let index = 0; index < symbols.size / 24; index++) {
    const versionAt = versions.offset + index * 2;
    if ((elf.readUInt16LE(versionAt) & ~HIDDEN) !== from.index) continue;
    const symbolAt = symbols.offset + index * 24;
    const nameAt = elf.readUInt32LE(symbolAt);
    const isUndefined = elf.readUInt16LE(symbolAt + 6) === 0;
    if (!isUndefined || !text(nameAt).startsWith(change.prefix))
      throw new Error(`${text(nameAt)} needs ${change.from} itself`);
    elf.writeUInt32LE(nameAt + change.prefix.length, symbolAt);
    elf.writeUInt16LE(to.index, versionAt);
  }
  unlink(elf, from);
  return elf;
}

/** @typedef {{ type: number, offset: number, size: number, link: number, info: number }} Section */
/**
 * One required version. `linkAt` is the offset of the 32-bit field that leads to it, `at` its own offset.
 * @typedef {{ library: string, version: string, index: number, at: number, linkAt: number, countAt: number, first: boolean }} Need
 */

/** @param {Buffer} elf @returns {Section[]} */
function readSections(elf) {
  const tableAt = Number(elf.readBigUInt64LE(40));
  const entrySize = elf.readUInt16LE(58);
  return Array.from({ length: elf.readUInt16LE(60) }, (_, index) => {
    const at = tableAt + index * entrySize;
    return {
      type: elf.readUInt32LE(at + 4),
      offset: Number(elf.readBigUInt64LE(at + 24)),
      size: Number(elf.readBigUInt64LE(at + 32)),
      link: elf.readUInt32LE(at + 40),
      info: elf.readUInt32LE(at + 44),
    };
  });
}

/** @param {Section[]} sections @param {number} type @returns {Section} */
function only(sections, type) {
  const found = sections.filter((section) => section.type === type);
  if (found.length !== 1 || !found[0])
    throw new Error(`expected one section of type ${type.toString(16)}, found ${found.length}`);
  return found[0];
}

/** @param {Buffer} elf @param {Section} section @param {(at: number) => string} text @returns {Need[]} */
function readNeeds(elf, section, text) {
  const needs = [];
  let fileAt = section.offset;
  for (let file = 0; file < section.info; file++) {
    const library = text(elf.readUInt32LE(fileAt + 4));
    let linkAt = fileAt + 8; // vn_aux, from the file's entry; afterwards vna_next, from the entry before
    let at = fileAt + elf.readUInt32LE(linkAt);
    for (let count = elf.readUInt16LE(fileAt + 2), first = true; count > 0; count--, first = false) {
      needs.push({
        library,
        version: text(elf.readUInt32LE(at + 8)),
        index: elf.readUInt16LE(at + 6),
        at,
        linkAt,
        countAt: fileAt + 2,
        first,
      });
      linkAt = at + 12;
      at += elf.readUInt32LE(linkAt);
    }
    fileAt += elf.readUInt32LE(fileAt + 12);
  }
  return needs;
}

/** @param {Buffer} elf @param {Need} need */
function unlink(elf, need) {
  const next = elf.readUInt32LE(need.at + 12);
  // Offsets are relative to the entry that holds them, so the step over the removed entry is the sum of both steps.
  elf.writeUInt32LE(next === 0 ? 0 : elf.readUInt32LE(need.linkAt) + next, need.linkAt);
  elf.writeUInt16LE(elf.readUInt16LE(need.countAt) - 1, need.countAt);
}
