// Drawing boxes and labels on pictures, looked at pixel by pixel.
import { createCanvas } from "@napi-rs/canvas";
import { expect, test } from "vitest";
import { barChart, lineCharts, matrixChart } from "./charts.ts";
import { colourOf, drawBoxes, enlarge, mosaic } from "./draw.ts";
import { eachBar, LETTER_HEIGHT, LETTER_WIDTH } from "./font.ts";
import { rasterise } from "./image-codec.ts";

/** A text as rows of dots. */
function dots(text: string): string[] {
  const rows = Array.from({ length: LETTER_HEIGHT }, () =>
    Array.from({ length: text.length * LETTER_WIDTH }, () => " "),
  );
  eachBar(text, (x, y, height) => {
    for (let i = 0; i < height; i++) rows[y + i]![x] = "#";
  });
  return rows.map((row) => row.join("").trimEnd());
}

test("letters look like letters", () => {
  expect(dots("1")).toEqual(["  #", " ##", "  #", "  #", "  #", "  #", " ###"]);
  expect(dots("E")).toEqual(["#####", "#", "#", "####", "#", "#", "#####"]);
  expect(dots("\u00e9")[0]).toBe("#####");
});

test("a box is drawn in its class's colour with its label inside the picture", () => {
  const canvas = createCanvas(100, 80);
  drawBoxes(canvas, [{ box: [10, 30, 60, 70], classIndex: 1, label: "cat 0.93" }]);
  const at = (x: number, y: number) => [...canvas.getContext("2d").getImageData(x, y, 1, 1).data];
  const [r, g, b] = [1, 3, 5].map((i) => Number.parseInt(colourOf(1).slice(i, i + 2), 16));
  expect(at(10, 22)).toEqual([r, g, b, 255]);
  expect(at(35, 50)).toEqual([0, 0, 0, 0]);
  drawBoxes(canvas, [{ box: [90, -5, 120, 40], classIndex: 1, label: "long label" }]);
  expect(at(99, 1)[3]).toBe(255);
});

test("a mosaic holds at most its limit in a square grid", () => {
  const pictures = Array.from({ length: 20 }, () => createCanvas(10, 20));
  expect([mosaic(pictures, 32).width, mosaic(pictures, 32).height]).toEqual([128, 128]);
  expect([mosaic(pictures.slice(0, 2), 32).width, mosaic(pictures.slice(0, 2), 32).height]).toEqual([64, 32]);
  expect(enlarge(createCanvas(64, 32), 320).factor).toBe(5);
});

test("charts are SVG that can be drawn, whatever the numbers", () => {
  const svgs = [
    lineCharts([
      {
        title: "loss",
        series: [
          {
            label: "a",
            points: [
              [1, Number.NaN],
              [2, 3],
            ],
          },
        ],
      },
      { title: "none", series: [] },
    ]),
    barChart("classes", [
      { label: "<cat>", value: 3 },
      { label: "dog", value: 0 },
    ]),
    barChart("none", []),
    matrixChart(
      "confusion",
      ["a", "background"],
      [
        [3, 1],
        [0, 0],
      ],
    ),
  ];
  for (const svg of svgs) {
    expect(svg).not.toMatch(/NaN|undefined|Infinity|<cat>/);
    expect(rasterise(svg).width).toBeGreaterThan(100);
  }
});
