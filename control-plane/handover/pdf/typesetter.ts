import type { FontChain } from "./font-chain.ts";
import { analyseParagraph, breakablePieces, visualRuns, type Paragraph } from "./visual-runs.ts";

export interface TextStyle {
  sizePt: number;
  bold?: boolean;
  /** Hexadecimal, `#rrggbb`. */
  color?: string;
}

export interface Line {
  paragraph: Paragraph;
  start: number;
  end: number;
  widthPt: number;
}

/** Draws texts of any script into a PDFKit document: fonts per character, lines broken to a width, right-to-left in its order. */
export class Typesetter {
  readonly #doc: PDFKit.PDFDocument;
  readonly #fonts: FontChain;
  readonly #registered = new Set<string>();

  constructor(doc: PDFKit.PDFDocument, fonts: FontChain) {
    this.#doc = doc;
    this.#fonts = fonts;
  }

  /** Baseline to baseline: room for the marks above and below in Arabic, Thai, Devanagari. */
  lineHeightPt(style: TextStyle): number {
    return style.sizePt * 1.5;
  }

  /** Breaks a text at its line ends and where it would be wider than `widthPt`. */
  breakLines(text: string, style: TextStyle, widthPt: number): Line[] {
    return text
      .split(/\r\n|[\n\r\u2028\u2029]/)
      .flatMap((line) => this.#breakParagraph(analyseParagraph(line.replaceAll("\t", "    ")), style, widthPt));
  }

  #breakParagraph(paragraph: Paragraph, style: TextStyle, widthPt: number): Line[] {
    const lines: Line[] = [];
    let line: Line = { paragraph, start: 0, end: 0, widthPt: 0 };
    const place = (end: number) => {
      // Spaces at the end of a line take no room.
      const visible = paragraph.text.slice(line.start, end).trimEnd().length;
      const width = this.#widthOf(paragraph, line.start, line.start + visible, style);
      if (width <= widthPt || line.end === line.start) {
        line = { ...line, end, widthPt: width };
        return;
      }
      lines.push(line);
      line = { paragraph, start: line.end, end, widthPt: this.#widthOf(paragraph, line.end, end, style) };
    };
    for (const piece of breakablePieces(paragraph.text)) {
      if (this.#widthOf(paragraph, piece.start, piece.end, style) <= widthPt) place(piece.end);
      // A word wider than the line (a serial number, a link) is broken anywhere between characters.
      else
        for (const part of new Intl.Segmenter().segment(paragraph.text.slice(piece.start, piece.end)))
          place(piece.start + part.index + part.segment.length);
    }
    lines.push(line);
    return lines;
  }

  /** The width of a text on one line. */
  widthOf(text: string, style: TextStyle): number {
    return this.#widthOf(analyseParagraph(text), 0, text.length, style);
  }

  /** Draws one line with its top left corner at x, y. @param alignWidthPt lines of right-to-left paragraphs end at x + this. */
  drawLine(line: Line, style: TextStyle, x: number, y: number, alignWidthPt?: number): void {
    const baseline = y + style.sizePt * 1.1;
    let left = line.paragraph.rightToLeft && alignWidthPt !== undefined ? x + alignWidthPt - line.widthPt : x;
    const color = style.color ?? "#1b1f24";
    for (const { text, slice } of visualRuns(line.paragraph, line.start, line.end, this.#fonts)) {
      this.#use(slice.key, slice.font, style);
      const strokePt = (slice.strokeEm + (style.bold === true ? 0.03 : 0)) * style.sizePt;
      this.#doc.fillColor(color).strokeColor(color).lineWidth(strokePt);
      // `features` present: the run is shaped as a whole, not word by word, which would put right-to-left words in the wrong order.
      this.#doc.text(text, left, baseline, {
        lineBreak: false,
        baseline: "alphabetic",
        features: [],
        fill: true,
        stroke: strokePt > 0,
      });
      left += this.#doc.widthOfString(text, { features: [] });
    }
  }

  #widthOf(paragraph: Paragraph, start: number, end: number, style: TextStyle): number {
    let width = 0;
    for (const { text, slice } of visualRuns(paragraph, start, end, this.#fonts)) {
      this.#use(slice.key, slice.font, style);
      width += this.#doc.widthOfString(text, { features: [] });
    }
    return width;
  }

  #use(key: string, font: unknown, style: TextStyle): void {
    // PDFKit takes an opened font as well; its types do not say so.
    if (!this.#registered.has(key)) this.#doc.registerFont(key, font as Buffer);
    this.#registered.add(key);
    this.#doc.font(key).fontSize(style.sizePt);
  }
}
