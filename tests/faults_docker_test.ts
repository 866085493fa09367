import { DOCKER_FAULTS } from "./support/faults/docker.ts";
import { testFaults } from "./support/faults/fault.ts";

testFaults(DOCKER_FAULTS);
