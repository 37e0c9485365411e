// The words of the command line: values, ranges, nearest names, help.
import { UserError } from "@orepa/yolo";
import { describe, expect, test } from "vitest";
import { ARGUMENTS, type Argument, defaultSettings, MODES } from "./args.ts";
import { helpText } from "./help.ts";
import { editDistance, nearest } from "./nearest.ts";
import { parseArguments, readSettings, readValue } from "./parse-args.ts";

const settingsOf = (...words: string[]) => {
  const request = parseArguments(words);
  if (request.kind !== "run") throw new Error(`expected a run, got ${request.kind}`);
  return request.command.settings;
};

describe("a command line is read", () => {
  test.each([
    [["train", "epochs=3"], { epochs: 3 }],
    [["detect", "train", "epochs=3"], { epochs: 3 }],
    [["train", "--epochs=3"], { epochs: 3 }],
    [["train", "epochs", "=", "3"], { epochs: 3 }],
    [["train", "epochs=", "3", "batch", "=4"], { epochs: 3, batch: 4 }],
    [["train", "epochs=3,", "batch=4"], { epochs: 3, batch: 4 }],
    [["train", "cos_lr"], { cos_lr: true }],
    [["train", "--json"], { json: true }],
    [["train", "val=False"], { val: false }],
    [["train", "lr0=1e-3"], { lr0: 0.001 }],
    [["train", "optimizer=sgd"], { optimizer: "SGD" }],
    [["train", "freeze=10"], { freeze: [10] }],
    [["predict", "classes=[0, 2]"], { classes: [0, 2] }],
    [["predict", "conf=none"], { conf: null }],
    [["train", "data=a=b.yaml"], { data: "a=b.yaml" }],
  ])("%j", (words, expected) => {
    expect(settingsOf(...words)).toEqual({ ...defaultSettings(), ...expected });
  });

  test("it remembers what was written and what was left at its default", () => {
    expect([...readSettings("train", ["epochs=100", "cos_lr"]).given]).toEqual(["epochs", "cos_lr"]);
  });
});

describe("a mistake is one line that names the argument, what it takes and what came", () => {
  test.each([
    [["train", "epoch=3"], "epoch: expected an argument of train, got an unknown name (did you mean epochs?)"],
    [["train", "imgz=64"], "imgz: expected an argument of train, got an unknown name (did you mean imgsz?)"],
    [
      ["train", "qqqqqq=1"],
      "qqqqqq: expected an argument of train, got an unknown name (see them all with: orepa train help)",
    ],
    [
      ["train", "copy_paste=1"],
      "copy_paste: expected an argument of train, got one that this program does not have (leave it out)",
    ],
    [["val", "epochs=1"], "epochs: expected an argument of val, got one of train and study (leave it out)"],
    [["train", "epochs"], "epochs: expected epochs=1, got no value (write a value after =)"],
    [["train", "epochs=1.5"], 'epochs: expected an integer of at least 1, got "1.5" (e.g. epochs=100)'],
    [["train", "epochs=0"], 'epochs: expected an integer of at least 1, got "0" (e.g. epochs=100)'],
    [["train", "epochs=none"], 'epochs: expected an integer of at least 1, got "none" (e.g. epochs=100)'],
    [["train", "momentum=2"], 'momentum: expected a number from 0 to 1, got "2" (e.g. momentum=0.937)'],
    [["train", "lr0=abc"], 'lr0: expected a number of at least 0, got "abc" (e.g. lr0=0.01)'],
    [["train", "lr0="], 'lr0: expected a number of at least 0, got "" (e.g. lr0=0.01)'],
    [["train", "val=maybe"], 'val: expected true or false, got "maybe" (e.g. val=true)'],
    [["train", "optimizer=SGDD"], 'optimizer: expected one of auto, SGD, AdamW, got "SGDD" (e.g. optimizer=auto)'],
    [["predict", "classes=a"], 'classes: expected integers separated by commas, got "a" (e.g. classes=0,2)'],
    [
      ["trian"],
      'mode: expected one of train, val, predict, export, info, bench, study, doctor, got "trian" (did you mean train? try: orepa help)',
    ],
    [["segment", "train"], 'task: expected detect, got "segment" (only detection is built in)'],
    [
      ["epochs=3"],
      'mode: expected one of train, val, predict, export, info, bench, study, doctor, got "epochs=3" (try: orepa help)',
    ],
  ])("%j", (words, message) => {
    expect(() => parseArguments(words)).toThrow(new UserError(message));
  });
});

test("every default is a value that its own argument accepts", () => {
  for (const [name, argument] of Object.entries<Argument>(ARGUMENTS)) {
    expect(readValue(name, argument, String(argument.default)), name).toEqual(argument.default);
  }
});

test("help lists every argument of a mode and no other, with examples", () => {
  expect(parseArguments([])).toEqual({ kind: "help", mode: null });
  expect(parseArguments(["train", "--help"])).toEqual({ kind: "help", mode: "train" });
  for (const mode of MODES) {
    const lines = helpText(mode).split("\n");
    for (const [name, { modes }] of Object.entries<Argument>(ARGUMENTS)) {
      expect(
        lines.some((line) => line.startsWith(`  ${name}=`)),
        `${mode} ${name}`,
      ).toBe(modes.includes(mode));
    }
    expect(helpText(null)).toContain(`orepa ${mode}`);
  }
});

test("the edit distance counts insertions, removals and replacements", () => {
  expect(editDistance("kitten", "sitting")).toBe(3);
  expect(editDistance("", "abc")).toBe(3);
  expect(nearest("xyz", ["epochs", "batch"])).toBeNull();
});
