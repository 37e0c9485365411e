// The program of a worker thread.
import { runStep } from "../steps/table.ts";
import { serve } from "./serve.ts";

serve(runStep);
