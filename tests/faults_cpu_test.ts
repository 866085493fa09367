import { CPU_FAULTS } from "./support/faults/cpu.ts";
import { testFaults } from "./support/faults/fault.ts";

testFaults(CPU_FAULTS);
