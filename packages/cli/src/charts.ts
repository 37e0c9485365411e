// Small charts as SVG text: lines, bars and matrices. Letters are drawn as paths, so no font is needed anywhere.

import { COLOURS } from "./draw.ts";
import { eachBar, textWidth } from "./font.ts";

/** A named line of points; points that are not finite are left out. */
interface Series {
  readonly label: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** A chart of lines. */
export interface LineChart {
  readonly title: string;
  readonly series: readonly Series[];
  readonly xLabel?: string;
  /** Fixed range of y; without it the range of the points. */
  readonly yRange?: readonly [number, number];
  readonly xRange?: readonly [number, number];
}

const WIDTH = 300;
const HEIGHT = 220;
const MARGIN = { left: 50, right: 12, top: 24, bottom: 34 };
const INK = "#333";

/** Several line charts in a grid, as one SVG document. */
export function lineCharts(charts: readonly LineChart[], columns = charts.length, scale = 1): string {
  const rows = Math.ceil(charts.length / columns);
  const cells = charts.map((chart, i) => {
    const x = (i % columns) * WIDTH;
    const y = Math.floor(i / columns) * HEIGHT;
    return `<g transform="translate(${x} ${y})">${lineChart(chart)}</g>`;
  });
  return document(charts.map(({ title }) => title).join(", "), columns * WIDTH, rows * HEIGHT, cells, scale);
}

/** Bars with their names below, as one SVG document. */
export function barChart(title: string, bars: readonly { label: string; value: number }[]): string {
  const width = Math.max(WIDTH, MARGIN.left + MARGIN.right + bars.length * 36);
  const top = niceCeiling(Math.max(1, ...bars.map(({ value }) => value)));
  const plot = { w: width - MARGIN.left - MARGIN.right, h: HEIGHT - MARGIN.top - MARGIN.bottom };
  const step = plot.w / Math.max(1, bars.length);
  const parts = [text(title, width / 2, 8, "middle"), axes(plot), yTicks(0, top, plot)];
  bars.forEach(({ label, value }, i) => {
    const x = MARGIN.left + i * step;
    const h = (value / top) * plot.h;
    const y = MARGIN.top + plot.h - h;
    parts.push(
      `<rect x="${fix(x + step * 0.1)}" y="${fix(y)}" width="${fix(step * 0.8)}" height="${fix(h)}" fill="${colour(i)}"/>`,
    );
    parts.push(text(shorten(label, step), x + step / 2, MARGIN.top + plot.h + 6, "middle"));
    parts.push(text(String(value), x + step / 2, y - 9, "middle"));
  });
  return document(title, width, HEIGHT, parts, 1);
}

/** A matrix of counts, coloured by the share in its column; columns are what is there, rows what was found. */
export function matrixChart(title: string, names: readonly string[], matrix: readonly (readonly number[])[]): string {
  const cell = Math.max(14, Math.min(48, Math.floor(640 / names.length)));
  const left = 16 + Math.min(120, Math.max(...names.map(textWidth)));
  const top = 24;
  const side = cell * names.length;
  const totals = names.map((_, column) => matrix.reduce((sum, row) => sum + (row[column] ?? 0), 0));
  const parts = [text(title, left + side / 2, 8, "middle")];
  matrix.forEach((row, i) => {
    parts.push(text(shorten(names[i] ?? "", 120), left - 6, top + i * cell + cell / 2 - 3, "end"));
    row.forEach((count, j) => {
      const share = totals[j]! > 0 ? count / totals[j]! : 0;
      const [x, y] = [left + j * cell, top + i * cell];
      parts.push(`<rect x="${x}" y="${y}" width="${cell}" height="${cell}" fill="${shade(share)}" stroke="#ddd"/>`);
      if (count > 0 && textWidth(String(count)) <= cell) {
        parts.push(text(String(count), x + cell / 2, y + cell / 2 - 3, "middle", share > 0.5 ? "#fff" : INK));
      }
    });
  });
  names.forEach((name, j) => {
    parts.push(text(shorten(name, cell), left + j * cell + cell / 2, top + side + 6, "middle"));
  });
  parts.push(text("true class (columns), predicted class (rows)", left + side / 2, top + side + 20, "middle"));
  const width = Math.max(left + side + 12, textWidth("true class (columns), predicted class (rows)") + left);
  return document(title, width, top + side + 36, parts, 1);
}

function lineChart({ title, series, xLabel = "", yRange, xRange }: LineChart): string {
  const lines = series.map(({ label, points }) => ({
    label,
    points: points.filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y)),
  }));
  const points = lines.flatMap((line) => line.points);
  const plot = { w: WIDTH - MARGIN.left - MARGIN.right, h: HEIGHT - MARGIN.top - MARGIN.bottom };
  const [x0, x1] = xRange ?? spread(points.map(([x]) => x));
  const [y0, y1] = yRange ?? spread(points.map(([, y]) => y));
  const px = (x: number) => MARGIN.left + ((x - x0) / (x1 - x0)) * plot.w;
  const py = (y: number) => MARGIN.top + plot.h - ((y - y0) / (y1 - y0)) * plot.h;
  const parts = [text(title, WIDTH / 2, 8, "middle"), axes(plot), yTicks(y0, y1, plot)];
  for (const share of [0, 0.5, 1]) {
    const x = x0 + share * (x1 - x0);
    parts.push(text(tick(x), px(x), MARGIN.top + plot.h + 6, "middle"));
  }
  if (xLabel) parts.push(text(xLabel, MARGIN.left + plot.w / 2, HEIGHT - 12, "middle"));
  lines.forEach(({ label, points }, i) => {
    const path = points.map(([x, y]) => `${fix(px(x))},${fix(py(y))}`).join(" ");
    parts.push(`<polyline points="${path}" fill="none" stroke="${colour(i)}" stroke-width="1.5"/>`);
    if (points.length === 1) {
      parts.push(`<circle cx="${fix(px(points[0]![0]))}" cy="${fix(py(points[0]![1]))}" r="2.5" fill="${colour(i)}"/>`);
    }
    if (lines.length > 1 && i < 12)
      parts.push(text(shorten(label, 90), WIDTH - MARGIN.right - 4, MARGIN.top + 4 + 11 * i, "end", colour(i)));
  });
  return parts.join("");
}

/** The title is what screen readers say. */
const document = (title: string, width: number, height: number, parts: readonly string[], scale: number): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="${width * scale}" height="${height * scale}" viewBox="0 0 ${width} ${height}">` +
  `<title>${title.replace(/[<>&]/g, "")}</title><rect width="${width}" height="${height}" fill="#fff"/>${parts.join("\n")}</svg>\n`;

const axes = ({ w, h }: { w: number; h: number }): string =>
  `<rect x="${MARGIN.left}" y="${MARGIN.top}" width="${w}" height="${h}" fill="none" stroke="#bbb"/>`;

function yTicks(from: number, to: number, { h }: { h: number }): string {
  return [0, 0.25, 0.5, 0.75, 1]
    .map((share) => text(tick(from + share * (to - from)), MARGIN.left - 5, MARGIN.top + h * (1 - share) - 3, "end"))
    .join("");
}

/** A text as a path; x is its start, middle or end, y its top. */
function text(content: string, x: number, y: number, anchor: "start" | "middle" | "end", fill = INK): string {
  const width = textWidth(content);
  const left = x - (anchor === "start" ? 0 : anchor === "middle" ? width / 2 : width);
  let path = "";
  eachBar(content, (column, row, height) => {
    path += `M${fix(left + column)} ${fix(y + row)}h1v${height}h-1z`;
  });
  return `<path d="${path}" fill="${fill}"><title>${escapeMarkup(content)}</title></path>`;
}

const escapeMarkup = (content: string): string => content.replace(/[&<>]/g, (letter) => `&#${letter.charCodeAt(0)};`);
const colour = (i: number): string => COLOURS[i % COLOURS.length]!;
const fix = (value: number): string => String(Math.round(value * 100) / 100);
const tick = (value: number): string => String(Number(value.toPrecision(3)));
const shorten = (label: string, width: number): string => {
  const letters = Math.max(1, Math.floor(width / 6));
  return label.length <= letters ? label : `${label.slice(0, Math.max(1, letters - 1))}.`;
};

/** White to blue. */
function shade(share: number): string {
  const [r, g, b] = [255 - share * 247, 255 - share * 207, 255 - share * 148].map(Math.round);
  return `rgb(${r},${g},${b})`;
}

/** The range of values, never empty. */
function spread(values: readonly number[]): [number, number] {
  const low = values.length > 0 ? Math.min(...values) : 0;
  const high = values.length > 0 ? Math.max(...values) : 1;
  return high > low ? [low, high] : [low - 0.5, high + 0.5];
}

/** The next of 1, 2, 5, 10, 20 ... that is at least the value. */
function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((step) => step * power >= value) ?? 10) * power;
}
