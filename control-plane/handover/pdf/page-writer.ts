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

  /** Begins a new page when less than this is left of the current one. */
  keepTogether(heightPt: number): void {
    if (this.#y + heightPt > this.#bottom) this.#newPage();
  }

  text(text: string, style: TextStyle, placement: TextPlacement = {}): void {
    const width = placement.widthPt ?? this.width;
    for (const line of this.#type.breakLines(text, style, width)) {
      this.keepTogether(this.#type.lineHeightPt(style));
      this.#type.drawLine(line, style, this.left, this.#y, placement.followDirection === true ? width : undefined);
      this.#y += this.#type.lineHeightPt(style);
    }
  }

  heading(text: string): void {
    this.#y += 12;
    this.keepTogether(80);
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
      this.keepTogether(height);
      this.#doc.rect(this.left, this.#y, 3, height).fill("#9a6700");
      this.#type.drawLine(line, style, this.left + 12, this.#y);
      this.#y += height;
    }
    this.#y += 4;
  }

  table(headings: readonly string[], shares: readonly number[], rows: readonly (readonly string[])[]): void {
    this.#row(
      headings,
      shares,
      headings.map(() => ({ ...LABEL, bold: true })),
    );
    for (const row of rows) {
      this.#doc.moveTo(this.left, this.#y).lineTo(this.right, this.#y).lineWidth(0.5).stroke(RULE);
      this.#y += 1;
      this.#row(
        row,
        shares,
        row.map(() => BODY),
      );
    }
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
      this.keepTogether(height);
      let x = this.left;
      for (const [index, lines] of columns.entries()) {
        const line: Line | undefined = lines[number];
        if (line !== undefined) this.#type.drawLine(line, styles[index] ?? BODY, x, this.#y);
        x += (shares[index] ?? 0) * this.width;
      }
      this.#y += height;
    }
  }

  #newPage(): void {
    this.#doc.addPage();
    this.#doc.page.margins.bottom = 0;
    this.#y = this.top;
  }
}
