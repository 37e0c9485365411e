// The engine's passes on the training step of yolo11n: thousands of equations, all kinds of them.
import { expect, test } from "vitest";
import { checkItems } from "../../../tensor/src/passes/fuse.cases.ts";
import { type FuseOptions, fuse, isGroup, MAX_LEAVES } from "../../../tensor/src/passes/fuse.ts";
import { optimize } from "../../../tensor/src/passes/optimize.ts";
import { updateEarly } from "../../../tensor/src/passes/update-early.ts";
import { buildModel } from "../model/parser.ts";
import { yolo11 } from "../model/yaml/yolo11.ts";
import { traceStep } from "./traced-step.cases.ts";

const createModel = () => buildModel(yolo11, { scale: "n", nc: 10 });
const channelsLast: FuseOptions = {
  layout: (t) => (t.rank === 4 ? "channels last" : "row-major"),
  innermost: (t) => (t.rank === 4 ? 1 : t.rank - 1),
};

test("loops cover the training step, in an order that can run, each normalisation with two passes forward and two backward", () => {
  const program = optimize(traceStep({ createModel, batch: 2, size: 64 }));
  const items = fuse(program, channelsLast);
  checkItems(program, items);
  const groups = items.filter(isGroup);
  for (const { leaves } of groups) expect(leaves.length).toBeLessThanOrEqual(MAX_LEAVES);
  const computed = groups.reduce((n, g) => n + g.equations.length, 0);
  expect(computed).toBeLessThan(1.5 * program.equations.length);
});

test("updates and averages of the weights share loops where one weight follows the other", () => {
  const program = optimize(traceStep({ createModel, batch: 2, size: 64 }));
  const early = updateEarly(program);
  const items = fuse(early, channelsLast);
  checkItems(early, items);
  expect(new Set(early.equations)).toEqual(new Set(program.equations));
  expect(items.length).toBeLessThan(fuse(program, channelsLast).length - 100);
});
