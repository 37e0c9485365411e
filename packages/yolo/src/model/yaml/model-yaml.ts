// Names of the models that come with the package, resolved to their text and scale.

import { UserError } from "../../errors.ts";
import { yolo11 } from "./yolo11.ts";
import { yolo11Orepa } from "./yolo11-orepa.ts";

/** A model's text, its name without the scale and, where the name has one, its scale letter. */
export interface ModelYaml {
  readonly name: string;
  readonly text: string;
  readonly scale: string | undefined;
}

const texts: Readonly<Record<string, string>> = { yolo11, "yolo11-OREPA": yolo11Orepa };

/**
 * The text and scale of a model by name: "yolo11n.yaml", "yolo11n-OREPA.yaml", with or without ".yaml"; "yolo11.yaml" has no scale.
 * @throws UserError if the package has no such model.
 *
 * @example
 * modelYaml("yolo11s-OREPA.yaml").scale; // -> s
 */
export function modelYaml(file: string): ModelYaml {
  const [, family, scale, variant] = /^(yolo11)([nsmlx])?(-OREPA)?(?:\.ya?ml)?$/.exec(file) ?? [];
  const name = `${family}${variant ?? ""}`;
  const text = texts[name];
  if (text === undefined)
    throw new UserError(
      `model: expected the name of a known model, got "${file}"; known are yolo11n.yaml and yolo11n-OREPA.yaml, also with s, m, l or x for n`,
    );
  return { name, text, scale };
}
