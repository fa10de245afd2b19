import type { FontChain } from "./font-chain.ts";
import { Typesetter, type Line, type TextStyle } from "./typesetter.ts";

const BODY: TextStyle = { sizePt: 9.5 };
const LABEL: TextStyle = { sizePt: 9.5, color: "#57606a" };
const RULE = "#d0d7de";

export interface TextPlacement {
  widthPt?: number;
  /** Right-to-left paragraphs end at the right edge. */
  followDirection?: boolean;
}

/** The smallest size that a line is made to fit with; below, it would not be read. */
const LEAST_SIZE_PT = 4;

/** Writes blocks from top to bottom over as many pages as it takes. All measures in points. */
export class PageWriter {
  readonly top: number;
  readonly left: number;
  readonly right: number;
  readonly width: number;
  readonly #bottom: number;
  readonly #doc: PDFKit.PDFDocument;
  readonly #type: Typesetter;
  #y: number;
  /** Counts the height and draws nothing. */
  #measuring = false;
  /** What a block that goes on on another page says again there, in this order. */
  readonly #repeated: (() => void)[] = [];

  constructor(doc: PDFKit.PDFDocument, fonts: FontChain) {
    this.#doc = doc;
    this.#type = new Typesetter(doc, fonts);
    const { width, height, margins } = doc.page;
    this.top = margins.top;
    this.left = margins.left;
    this.right = width - margins.right;
    this.width = this.right - this.left;
    this.#bottom = height - margins.bottom - 16;
    this.#y = this.top;
    // Text may go below the margin (page numbers): pages begin where this writer says.
    doc.page.margins.bottom = 0;
  }

  /** Moves down to `y`; never up. */
  moveTo(y: number): void {
    this.#y = Math.max(this.#y, y);
  }

  /**
   * Writes a block under a heading of its own, on one page: a new one when the block would not fit on the current one. A
   * block that is longer than a page goes on over several, each with the heading, and with the heading of its table.
   * @param section heading of the section that begins with this block, and stays with it
   */
  block(section: string | undefined, heading: string, style: TextStyle, write: () => void): void {
    const begin = () => {
      if (section !== undefined) this.heading(section);
      this.text(heading, style);
    };
    const height = this.#heightOf(() => {
      begin();
      write();
    });
    this.#keepTogether(Math.min(height, this.#bottom - this.top));
    begin();
    this.#repeating(() => this.text(`${heading} (continued)`, style), write);
  }

  text(text: string, style: TextStyle, placement: TextPlacement = {}): void {
    const width = placement.widthPt ?? this.width;
    for (const line of this.#type.breakLines(text, style, width)) {
      this.#keepTogether(this.#type.lineHeightPt(style));
      this.#drawLine(line, style, this.left, placement.followDirection === true ? width : undefined);
      this.#y += this.#type.lineHeightPt(style);
    }
  }

  /** A text that must not be broken (a link to be copied by hand): set smaller where it would be wider than `widthPt`. */
  unbroken(text: string, style: TextStyle, widthPt: number): void {
    let sizePt = style.sizePt;
    while (sizePt > LEAST_SIZE_PT && this.#type.widthOf(text, { ...style, sizePt }) > widthPt) sizePt -= 0.25;
    this.text(text, { ...style, sizePt }, { widthPt });
  }

  heading(text: string): void {
    this.#y += 12;
    this.#keepTogether(80);
    this.text(text, { sizePt: 13, bold: true });
    this.#y += 2;
  }

  /** Names and values in two columns. */
  facts(facts: readonly [name: string, value: string][]): void {
    for (const [name, value] of facts) this.#row([name, value], [0.2, 0.8], [LABEL, BODY]);
    this.#y += 4;
  }

  /** Something to be noticed, with a bar at its side. */
  notice(text: string): void {
    this.#y += 4;
    const style: TextStyle = { sizePt: 9.5, bold: true, color: "#9a6700" };
    for (const line of this.#type.breakLines(text, style, this.width - 12)) {
      const height = this.#type.lineHeightPt(style);
      this.#keepTogether(height);
      if (!this.#measuring) this.#doc.rect(this.left, this.#y, 3, height).fill("#9a6700");
      this.#drawLine(line, style, this.left + 12);
      this.#y += height;
    }
    this.#y += 4;
  }

  table(headings: readonly string[], shares: readonly number[], rows: readonly (readonly string[])[]): void {
    const headingRow = () =>
      this.#row(
        headings,
        shares,
        headings.map(() => ({ ...LABEL, bold: true })),
      );
    // Never a heading at the foot of a page, and its rows on the next.
    this.#keepTogether(2 * this.#type.lineHeightPt(BODY) + 1);
    headingRow();
    this.#repeating(headingRow, () => {
      for (const row of rows) {
        this.#keepTogether(this.#type.lineHeightPt(BODY) + 1);
        if (!this.#measuring)
          this.#doc.moveTo(this.left, this.#y).lineTo(this.right, this.#y).lineWidth(0.5).stroke(RULE);
        this.#y += 1;
        this.#row(
          row,
          shares,
          row.map(() => BODY),
        );
      }
    });
    this.#y += 14;
  }

  /** At the foot of every page; to be called last. */
  numberPages(textOf: (number: number, count: number) => string): void {
    const { start, count } = this.#doc.bufferedPageRange();
    const style: TextStyle = { sizePt: 8, color: "#57606a" };
    for (let index = 0; index < count; index++) {
      this.#doc.switchToPage(start + index);
      const [line] = this.#type.breakLines(textOf(index + 1, count), style, this.width);
      if (line !== undefined) this.#type.drawLine(line, style, this.left, this.#bottom + 8);
    }
  }

  /** Cells side by side, each broken into its own lines; a row may go on on the next page. */
  #row(cells: readonly string[], shares: readonly number[], styles: readonly TextStyle[]): void {
    const columns = cells.map((cell, index) =>
      this.#type.breakLines(cell, styles[index] ?? BODY, (shares[index] ?? 0) * this.width - 8),
    );
    const lineCount = Math.max(...columns.map((lines) => lines.length));
    const height = this.#type.lineHeightPt(BODY);
    for (let number = 0; number < lineCount; number++) {
      this.#keepTogether(height);
      let x = this.left;
      for (const [index, lines] of columns.entries()) {
        const line: Line | undefined = lines[number];
        if (line !== undefined) this.#drawLine(line, styles[index] ?? BODY, x);
        x += (shares[index] ?? 0) * this.width;
      }
      this.#y += height;
    }
  }

  #drawLine(line: Line, style: TextStyle, x: number, alignWidthPt?: number): void {
    if (!this.#measuring) this.#type.drawLine(line, style, x, this.#y, alignWidthPt);
  }

  /** How high something is when no page ends in it. */
  #heightOf(write: () => void): number {
    const before = this.#y;
    this.#measuring = true;
    try {
      write();
      return this.#y - before;
    } finally {
      this.#measuring = false;
      this.#y = before;
    }
  }

  /** Says `repeat` again on each page that begins while `write` writes. */
  #repeating(repeat: () => void, write: () => void): void {
    this.#repeated.push(repeat);
    write();
    this.#repeated.pop();
  }

  /** Begins a new page when less than this is left of the current one. */
  #keepTogether(heightPt: number): void {
    if (this.#measuring || this.#y + heightPt <= this.#bottom) return;
    this.#doc.addPage();
    this.#doc.page.margins.bottom = 0;
    this.#y = this.top;
    for (const repeat of this.#repeated) repeat();
  }
}
