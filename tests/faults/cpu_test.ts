import { CPU_FAULTS } from "./cpu.ts";
import { testFaults } from "./fault.ts";

testFaults(CPU_FAULTS);
