import { DOCKER_FAULTS } from "./docker.ts";
import { testFaults } from "./fault.ts";

testFaults(DOCKER_FAULTS);
