// Every case of every primitive and composed op on WebGL2.
import { describeParity } from "./gpu-parity.cases.ts";

describeParity("gpu:webgl2");
