// The three convolutions.
export { conv2d, convInput, convWeight } from "./naive.ts";
