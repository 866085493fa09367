/**
 * What does the work behind an ffmpeg encoder's name: the processor (software) or which kind of hardware.
 *
 * Names are those of `ffmpeg -encoders`: hardware encoders carry their interface as a suffix.
 * https://trac.ffmpeg.org/wiki/HWAccelIntro
 *
 * @module
 */

/** Classes of hardware encoders, each the last part of their names. */
const HARDWARE_CLASSES = [
  "amf",
  "d3d12va",
  "mediacodec",
  "mf",
  "nvenc",
  "oh",
  "omx",
  "qsv",
  "rkmpp",
  "v4l2m2m",
  "vaapi",
  "videotoolbox",
  "vulkan",
] as const;

/** A class of hardware encoders. */
export type HardwareClass = typeof HARDWARE_CLASSES[number];
/** What encodes: `copy` where streams are passed on unchanged. */
export type EncoderClass = HardwareClass | "software" | "copy";

const HARDWARE: ReadonlySet<string> = new Set(HARDWARE_CLASSES);
const SEVERAL_REGEXP = /[,+ ]/;

/** The class of an encoder such as `libx264` or `h264_nvenc`; undefined where none is named. */
export function encoderClass(encoder: string): EncoderClass | undefined {
  const [name = ""] = encoder.toLowerCase().split(SEVERAL_REGEXP);
  if (name === "") return undefined;
  if (name === "copy") return "copy";
  // Old names of NVENC: nvenc, nvenc_h264, nvenc_hevc (until ffmpeg 4).
  if (name.startsWith("nvenc")) return "nvenc";
  const last = name.slice(name.lastIndexOf("_") + 1);
  return name.includes("_") && HARDWARE.has(last) ? last as HardwareClass : "software";
}

/** Whether a class is hardware. */
export function isHardware(found: EncoderClass | undefined): found is HardwareClass {
  return found !== undefined && HARDWARE.has(found);
}

/**
 * Whether a job may expect hardware by its parameter `expect`: the name of a class, of an encoder, or `hardware` for
 * any.
 */
export function expectsHardware(expect: string): boolean {
  const text = expect.toLowerCase();
  return text === "hardware" || HARDWARE.has(text) || isHardware(encoderClass(text));
}
