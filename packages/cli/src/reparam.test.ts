// reparam= and modules=: blocks exchanged without editing model text, blocks of the user's own, weights that become blocks.

import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { namedVariables, readSafetensors, writeSafetensors } from "@orepa/autograd";
import { Generator, printProgram, rand, type Tensor, trace } from "@orepa/tensor";
import { buildModel, type DetectModel, fuse, modelYaml, UserError } from "@orepa/yolo";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { expectClose } from "../../orepa/src/close.cases.ts";
import { registry } from "./registry.ts";
import { reparams, withReparam } from "./reparam.ts";
import { run } from "./run.ts";
import { captureIo } from "./testing.ts";
import { type TestFolder, TINY_MODEL, testFolder } from "./testing-data.ts";

let place: TestFolder;
beforeEach(async () => {
  place = await testFolder();
});
afterEach(() => place.remove());

const TINY = ["model=tiny.yaml", "imgsz=32", "epochs=1", "batch=2", "plots=false", "fraction=0.006"];

async function command(...argv: string[]) {
  const io = captureIo({ cwd: place.cwd });
  const code = await run(argv, io);
  return { code, errors: io.errors(), output: io.output() };
}
async function expectRefusal(argv: string[], ...texts: string[]) {
  const { code, errors } = await command(...argv);
  expect(code, errors).toBe(2);
  expect(errors.trimEnd().split("\n")).toHaveLength(1);
  for (const text of texts) expect(errors).toContain(text);
}
const rows = (text: string) => text.split("\n").filter((line) => /^ *- /.test(line));

describe("a model's text with other blocks", () => {
  const plain = modelYaml("yolo11n.yaml").text;
  const orepa = modelYaml("yolo11n-OREPA.yaml").text;

  test("plain and OREPA turn into each other", () => {
    expect(rows(withReparam(plain, "orepa"))).toEqual(rows(orepa));
    expect(rows(withReparam(orepa, "none"))).toEqual(rows(plain));
    expect(rows(withReparam(withReparam(plain, "dbb"), "none"))).toEqual(rows(plain));
  });
  test("a text without such rows is refused, one that is no model is left to its reader", () => {
    expect(() => withReparam(plain.replaceAll("3, 2]", "3, 1]"), "dbb")).toThrow(UserError);
    expect(withReparam("nc: [", "dbb")).toBe("nc: [");
    expect(withReparam("nc: 3", "dbb")).toBe("nc: 3");
  });
  test.each(reparams)("%s deploys as the plain model", (reparam) => {
    const model = buildModel(withReparam(plain, reparam), { scale: "n", nc: 2, registry });
    const { model: fused } = fuse(model, { probe: rand([1, 3, 64, 64], { generator: new Generator(1) }) });
    const expected = buildModel(plain, { scale: "n", nc: 2, fused: true });
    expect([...namedVariables(fused).keys()]).toEqual([...namedVariables(expected).keys()]);
    // One and the same program: as fast, too.
    const program = (deployed: DetectModel) =>
      printProgram(
        trace((images: Tensor) => deployed.predict(images), [{ shape: [1, 3, 64, 64], dtype: "float32" }]).program,
      );
    expect(program(fused)).toBe(program(expected));
  });
});

const body = (...layers: string[]) => `
nc: 10
backbone:
  - [-1, 1, Conv, [8, 3, 2]]
${layers.map((layer) => `  - [-1, 1, ${layer}]`).join("\n")}
  - [-1, 1, Conv, [8, 3, 2]]
  - [-1, 1, Conv, [8, 3, 2]]
head:
  - [[2, 3, 4], 1, Detect, [nc]]
`;

test.each([
  "OREPA, [8]",
  "OREPA, [8, 1]",
  "OREPA_1x1, [8]",
  "OREPA_offline, [8]",
  "DBB, [8]",
  "RepVGG, [8]",
  "C3k2_OREPA, [8]",
  "C3k2_OREPA, [8, true]",
])("the row %s builds and deploys", (row) => {
  const model = buildModel(body(row, "Conv, [8, 3, 2]"), { registry });
  const images = rand([1, 3, 64, 64], { generator: new Generator(2) });
  const { model: fused } = fuse(model, { probe: images });
  expectClose("boxes", fused.predict(images), model.predict(images), 1e-3);
});

describe("training with reparam=", () => {
  test.each(reparams)(
    "%s: the deployed network is the plain one, and its weights start every other",
    async (reparam) => {
      const first = await command("train", ...TINY, `reparam=${reparam}`, "json");
      expect(first.code, first.errors).toBe(0);
      const { deployed, best } = JSON.parse(first.output.trimEnd().split("\n").at(-1)!) as Record<string, string>;
      const { tensors, metadata } = readSafetensors(await readFile(deployed!));
      expect([...tensors.keys()].filter((key) => key.startsWith("model.1."))).toEqual([
        "model.1.conv.weight",
        "model.1.conv.bias",
      ]);
      expect(metadata).toMatchObject({ fused: "true" });
      expect((await command("val", `model=${best}`)).code).toBe(0);
      const next = await command("train", ...TINY, "reparam=orepa", `pretrained=${deployed}`);
      expect(next.code, next.errors).toBe(0);
      expect(next.output).toMatch(
        /Transferred \d+\/\d+ entries from .*, 4 convolutions as OREPA blocks of the same function/,
      );
      expect(next.output).toContain("statistics are those of the first 2 training pictures");
    },
  );

  test("deployed weights of other classes start all but the class layers", async () => {
    const { output } = await command("train", ...TINY, "reparam=none", "json");
    const { deployed } = JSON.parse(output.trimEnd().split("\n").at(-1)!) as Record<string, string>;
    const next = await command("train", ...TINY, "reparam=repvgg", "single_cls", `pretrained=${deployed}`);
    expect(next.code, next.errors).toBe(0);
    expect(next.output).toMatch(
      /other shape: \d+ \(first model\.5\.cv3.*2 convolutions as RepVGG blocks|4 convolutions as RepVGG/,
    );
  });

  test("refuses what it does not know, and the weights of another block", async () => {
    await expectRefusal(["train", ...TINY, "reparam=orepo"], "reparam: expected one of none, orepa, ", '"orepo"');
    const words = ["train", ...TINY, "reparam=orepa", "json"];
    const { output } = await command(...words);
    const { best, deployed } = JSON.parse(output.trimEnd().split("\n").at(-1)!) as Record<string, string>;
    const wrong = [`${best}: expected at model.1 the weights of`, "another block (weight_orepa_", "deployed"];
    await expectRefusal(["train", ...TINY, "reparam=dbb", `pretrained=${best}`], ...wrong, "DBB");
    await expectRefusal(["train", ...TINY, "reparam=none", `pretrained=${best}`], ...wrong, "a convolution");
    await expectRefusal(["info", `model=${deployed}`, "reparam=orepa"], "reparam", "deployed");
    await place.write("flat.yaml", TINY_MODEL.replaceAll("3, 2]", "3, 1]"));
    await expectRefusal(["info", "model=flat.yaml", "reparam=dbb"], "reparam: expected a model with rows like");
  });
});

describe("blocks of one's own", () => {
  // The example of the README.
  const readme = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");
  const MODULE = /### Blocks of your own.*?```js\n(.*?)```/s.exec(readme)![1]!;
  const WORDS = ["train", "model=gated.yaml", ...TINY.slice(1)];

  test("train, are asked for again with the weights, and must know their deployed form", async () => {
    await place.write("my-blocks.js", MODULE);
    await place.write(
      "gated.yaml",
      body("OREPA, [8, 3, 2]", "Gate, []")
        .replace("[[2, 3, 4]", "[[3, 4, 5]")
        .replace(/\[8, 3, 2\]\]\nhead/, "[8, 3, 2]]\n  - [-1, 1, Conv, [8, 3, 2]]\nhead"),
    );
    const { code, errors, output } = await command(...WORDS, "modules=./my-blocks.js", "json");
    expect(code, errors).toBe(0);
    const { best } = JSON.parse(output.trimEnd().split("\n").at(-1)!) as { best: string };
    await expectRefusal(["val", `model=${best}`], 'got "Gate"');
    await place.write("deaf.js", MODULE.replace("context.fused", "false"));
    const deaf = [...WORDS, "modules=deaf.js"];
    await expectRefusal(deaf, "model.2.conv", "context.fused", "best.safetensors");
    expect((await command("val", `model=${best}`, "modules=my-blocks.js")).code).toBe(0);
  });

  test("a module that is not there, does not load, or has no blocks is refused", async () => {
    const words = ["info", "model=tiny.yaml", "modules=my-blocks.mjs"];
    await expectRefusal(words, "modules: expected a JavaScript file, but there is none at", "my-blocks.mjs");
    const cases = [
      ["a.mjs", "export const x = 1;", "to export a function as its default, got none"],
      ["b.mjs", "export default 1;", "got number"],
      ["c.mjs", "export default () => ({});", "to return builders by the names of their blocks, got {}"],
      ["d.mjs", "export default () => ({ A: 1 });", "got {A}"],
      ["e.mjs", "export default () => { throw new Error('no'); };", "got Error: no"],
      ["f.mjs", "export default (", "to load, got "],
      ["g.mjs", "export default () => ({ Conv: () => 1 });", "names of their own, got Conv"],
    ] as const;
    for (const [name, text, message] of cases) {
      await place.write(name, text);
      await expectRefusal(["info", "model=tiny.yaml", `modules=${path.join(".", name)}`], name, message);
    }
  });
});

test("an unreadable block in a weights file is one line", async () => {
  await place.write(
    "x.safetensors",
    writeSafetensors(new Map(), { model_yaml: TINY_MODEL.replace("OREPA", "Mine"), names: "[]", imgsz: "64" }),
  );
  await expectRefusal(["val", "model=x.safetensors"], 'expected a known block, got "Mine"');
});
