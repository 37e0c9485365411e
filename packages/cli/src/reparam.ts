// reparam=: puts re-parameterized blocks into a model's text, takes them out or exchanges them, without touching the user's file.

import { UserError } from "@orepa/yolo";
import { isMap, isScalar, isSeq, parseDocument, type YAMLSeq } from "yaml";

/** The values of reparam= and the blocks that they put in. */
const blockOf = {
  none: "Conv",
  orepa: "OREPA",
  "orepa-offline": "OREPA_offline",
  dbb: "DBB",
  repvgg: "RepVGG",
} as const;

/** What reparam= may be. */
export type Reparam = keyof typeof blockOf;
/** All of them. */
export const reparams = Object.keys(blockOf) as readonly Reparam[];

const exchangeable: ReadonlySet<unknown> = new Set(Object.values(blockOf));
/** Kernel side and stride of the rows that are exchanged. */
const [KERNEL, STRIDE] = [3, 2];

/**
 * The text with every 3x3 row of stride 2 (but that of the stem, which has no channels to mix) naming the block. Rows inside of other
 * blocks stay as they are, and so do rows that name more arguments than channels, kernel and stride.
 * @throws UserError if the text is no model text, or has no such row.
 */
export function withReparam(text: string, reparam: Reparam): string {
  const document = parseDocument(text);
  if (document.errors.length > 0 || !isMap(document.contents)) return text; // the parser of models says what is wrong
  let rows = 0;
  for (const section of ["backbone", "head"]) {
    const list = document.get(section);
    if (!isSeq(list)) return text;
    list.items.forEach((row, index) => {
      const stem = section === "backbone" && index === 0;
      if (stem || !isSeq(row) || !isDownsampling(row)) return;
      row.set(2, blockOf[reparam]);
      rows++;
    });
  }
  if (rows === 0)
    throw new UserError(
      `reparam: expected a model with rows like [-1, 1, Conv, [128, 3, 2]] below its first, got one without (leave reparam= out)`,
    );
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

function isDownsampling(row: YAMLSeq): boolean {
  const args = row.get(3);
  if (!exchangeable.has(row.get(2)) || !isSeq(args) || args.items.length !== 3) return false;
  const [, kernel, stride] = args.items.map((item) => (isScalar(item) ? item.value : undefined));
  return kernel === KERNEL && stride === STRIDE;
}
