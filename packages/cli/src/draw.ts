// Boxes with names on pictures, and mosaics of pictures.

import { type Canvas, createCanvas, type SKRSContext2D } from "@napi-rs/canvas";
import { eachBar, LETTER_HEIGHT, textWidth } from "./font.ts";

/** Colours of classes, told apart also by the colour-blind (after Okabe and Ito 2008), then darker again. */
export const COLOURS = [
  "#e69f00",
  "#56b4e9",
  "#009e73",
  "#f0e442",
  "#0072b2",
  "#d55e00",
  "#cc79a7",
  "#a05000",
  "#8060c0",
  "#60a020",
] as const;

/** The colour of a class. */
export const colourOf = (classIndex: number): string => COLOURS[classIndex % COLOURS.length]!;

/** A box to draw, in pixels; without a label only the frame is drawn. */
export interface DrawnBox {
  readonly box: readonly [x1: number, y1: number, x2: number, y2: number];
  readonly classIndex: number;
  readonly label: string;
}

/** Draws a text with its top left corner at x, y; `dot` is the size of the font's dots in pixels. */
function drawText(context: SKRSContext2D, text: string, x: number, y: number, dot: number): void {
  eachBar(text, (column, row, height) => context.fillRect(x + column * dot, y + row * dot, dot, height * dot));
}

/** Draws boxes with their labels on a canvas. */
export function drawBoxes(
  canvas: Canvas,
  boxes: readonly DrawnBox[],
  options: { lineWidth?: number | null; dot?: number } = {},
): void {
  const context = canvas.getContext("2d");
  const width = options.lineWidth ?? Math.max(1, Math.round((canvas.width + canvas.height) / 700));
  const dot = options.dot ?? width;
  for (const { box, classIndex, label } of boxes) {
    const [x1, y1, x2, y2] = box;
    context.strokeStyle = colourOf(classIndex);
    context.lineWidth = width;
    context.strokeRect(x1, y1, x2 - x1, y2 - y1);
    if (label === "") continue;
    const w = (textWidth(label) + 1) * dot;
    const h = (LETTER_HEIGHT + 2) * dot;
    const left = Math.max(0, Math.min(x1, canvas.width - w));
    const top = y1 >= h ? y1 - h : Math.max(0, y1);
    context.fillStyle = colourOf(classIndex);
    context.fillRect(left, top, w, h);
    context.fillStyle = isLight(colourOf(classIndex)) ? "#000" : "#fff";
    drawText(context, label, left + dot, top + dot, dot);
  }
}

/** One picture from several, in a grid of equal cells as square as can be. */
export function mosaic(pictures: readonly Canvas[], cell: number, limit = 16): Canvas {
  const shown = pictures.slice(0, limit);
  const columns = Math.max(1, Math.ceil(Math.sqrt(shown.length)));
  const rows = Math.max(1, Math.ceil(shown.length / columns));
  const canvas = createCanvas(columns * cell, rows * cell);
  const context = canvas.getContext("2d");
  context.fillStyle = "#727272";
  context.fillRect(0, 0, canvas.width, canvas.height);
  shown.forEach((picture, i) => {
    const factor = Math.min(cell / picture.width, cell / picture.height);
    const x = (i % columns) * cell;
    const y = Math.floor(i / columns) * cell;
    context.drawImage(picture, x, y, picture.width * factor, picture.height * factor);
    context.strokeStyle = "#fff";
    context.strokeRect(x + 0.5, y + 0.5, cell - 1, cell - 1);
  });
  return canvas;
}

/** A picture made larger by a whole factor until its longer side is at least `side`, so that labels on tiny pictures can be read. */
export function enlarge(picture: Canvas, side: number): { canvas: Canvas; factor: number } {
  const factor = Math.max(1, Math.ceil(side / Math.max(picture.width, picture.height)));
  const canvas = createCanvas(picture.width * factor, picture.height * factor);
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return { canvas, factor };
}

/** Whether black is easier to read on a colour than white (relative luminance, Rec. 601 weights). */
function isLight(colour: string): boolean {
  const [r, g, b] = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
  return 0.299 * r! + 0.587 * g! + 0.114 * b! > 140;
}
