// The help text, written from the table of arguments.

import { ARGUMENTS, type Argument, MODES, type Mode } from "./args.ts";
import { describeKind } from "./parse-args.ts";

const PURPOSE: Record<Mode, string> = {
  train: "train a detector",
  val: "measure a trained detector on a dataset",
  predict: "find objects in pictures and draw them",
  export: "merge trained weights into the plain network that is deployed, with a report of every block",
  info: "print a model's layers, parameters and operations",
  bench: "time a training step and inference, and compare with what the machine can do",
  study: "compare the methods of re-parameterization: memory, time, accuracy; writes a report",
  doctor: "say which devices work here, and what the others lack",
};

const EXAMPLES: Record<Mode, readonly string[]> = {
  train: [
    "orepa train                                        # yolo11n-OREPA on the embedded digits",
    "orepa detect train data=bccd/data.yaml model=yolo11n-OREPA.yaml epochs=50 imgsz=320",
    "orepa train resume=runs/detect/train               # go on where it stopped",
  ],
  val: ["orepa val model=runs/detect/train/weights/best.safetensors data=bccd/data.yaml"],
  predict: [
    "orepa predict model=runs/detect/train/weights/deployed.safetensors source=pictures/ save_txt",
    "orepa predict model=best.safetensors source=a.jpg,b.jpg conf=0.5 --json",
  ],
  export: ["orepa export model=runs/detect/train/weights/best.safetensors"],
  info: ["orepa info model=yolo11n-OREPA.yaml", "orepa info model=runs/detect/train/weights/best.safetensors --json"],
  bench: ["orepa bench", "orepa bench model=yolo11n.yaml imgsz=640 batch=4 repeats=20 --json"],
  study: [
    "orepa study                                        # blocks, yolo11n and trainings on the digits",
    "orepa study data=digits,bccd/data.yaml seeds=5 epochs=30",
    "orepa study accuracy=false methods=plain,dbb,orepa sizes=64/56/32 --json",
  ],
  doctor: ["orepa doctor", "orepa doctor --json"],
};

/** Help on one mode with its arguments, or on the whole command. */
export function helpText(mode: Mode | null): string {
  if (mode !== null) {
    const rows = Object.entries<Argument>(ARGUMENTS).filter(([, { modes }]) => modes.includes(mode));
    return [
      `orepa [detect] ${mode} key=value ...   ${PURPOSE[mode]}`,
      "",
      ...EXAMPLES[mode].map((example) => `  ${example}`),
      "",
      "Arguments (a bare name of a true/false argument means true):",
      ...rows.flatMap(([name, argument]) => describe(name, argument)),
    ].join("\n");
  }
  return [
    "orepa [detect] MODE key=value ...   train, measure and run YOLO11 detectors with re-parameterized convolutions",
    "",
    ...MODES.map((name) => `  ${name.padEnd(9)} ${PURPOSE[name]}`),
    "",
    "Examples:",
    ...MODES.flatMap((name) => EXAMPLES[name].map((example) => `  ${example}`)),
    "",
    "Arguments of a mode: orepa MODE help",
  ].join("\n");
}

function describe(name: string, argument: Argument): string[] {
  const head = `  ${`${name}=${argument.default ?? ""}`.padEnd(24)}`;
  return [`${head}${argument.help} [${describeKind(argument)}]`];
}
