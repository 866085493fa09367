import { GPU_FAULTS } from "./gpu.ts";
import { testFaults } from "./fault.ts";

testFaults(GPU_FAULTS);
