// The order of the passes that every device shares.
import { commonSubexpressions } from "./common-subexpressions.ts";
import { deadCode } from "./dead-code.ts";
import { foldScale } from "./fold-scale.ts";
import type { Pass, Program } from "./program.ts";
import { simplify } from "./simplify/simplify.ts";

const tidy: readonly Pass[] = [simplify, commonSubexpressions, deadCode];
const apply = (passes: readonly Pass[], program: Program): Program => passes.reduce((p, pass) => pass(p), program);

export function optimize(program: Program): Program {
  const tidied = apply([deadCode, ...tidy], program);
  // Counts readers: dead ones must not count.
  const folded = foldScale(tidied);
  // Trainings have nothing to fold.
  return folded === tidied ? tidied : apply(tidy, folded);
}
