import { GPU_FAULTS } from "./support/faults/gpu.ts";
import { testFaults } from "./support/faults/fault.ts";

testFaults(GPU_FAULTS);
