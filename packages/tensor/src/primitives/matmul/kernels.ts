// Batched matrix product.
export { type MatmulGeometry, matmul } from "./naive.ts";
