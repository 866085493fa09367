import { FFMPEG_FAULTS } from "./support/faults/ffmpeg.ts";
import { testFaults } from "./support/faults/fault.ts";

testFaults(FFMPEG_FAULTS);
