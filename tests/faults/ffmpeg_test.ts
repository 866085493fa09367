import { FFMPEG_FAULTS } from "./ffmpeg.ts";
import { testFaults } from "./fault.ts";

testFaults(FFMPEG_FAULTS);
