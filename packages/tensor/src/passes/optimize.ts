// The order of the passes that every device shares.
import { commonSubexpressions } from "./common-subexpressions.ts";
import { deadCode } from "./dead-code.ts";
import { foldScale } from "./fold-scale.ts";
import type { Pass, Program } from "./program.ts";
import { simplify } from "./simplify/simplify.ts";

const pipeline: readonly Pass[] = [
  deadCode,
  simplify,
  commonSubexpressions,
  // Counts readers: dead ones must not count.
  deadCode,
  foldScale,
  simplify,
  commonSubexpressions,
  deadCode,
];

export const optimize = (program: Program): Program => pipeline.reduce((p, pass) => pass(p), program);
