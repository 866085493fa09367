/**
 * What does the work behind an ffmpeg encoder's name: the processor (software) or which kind of hardware.
 *
 * Names are those of `ffmpeg -encoders`: hardware encoders carry their interface as a suffix.
 * https://trac.ffmpeg.org/wiki/HWAccelIntro
 *
 * @module
 */

/** Suffix of hardware encoders' names, by class. */
const HARDWARE_SUFFIXES = {
  amf: "_amf",
  d3d12va: "_d3d12va",
  mediacodec: "_mediacodec",
  mf: "_mf",
  nvenc: "_nvenc",
  oh: "_oh",
  omx: "_omx",
  qsv: "_qsv",
  rkmpp: "_rkmpp",
  v4l2m2m: "_v4l2m2m",
  vaapi: "_vaapi",
  videotoolbox: "_videotoolbox",
  vulkan: "_vulkan",
} as const;

/** A class of hardware encoders. */
export type HardwareClass = keyof typeof HARDWARE_SUFFIXES;
/** What encodes: `copy` where streams are passed on unchanged. */
export type EncoderClass = HardwareClass | "software" | "copy";

const HARDWARE = Object.entries(HARDWARE_SUFFIXES) as [HardwareClass, string][];
const SUFFIX_OF_SEVERAL_REGEXP = /[,+ ]/;

/** The class of an encoder such as `libx264` or `h264_nvenc`; undefined where none is named. */
export function encoderClass(encoder: string): EncoderClass | undefined {
  const [name = ""] = encoder.toLowerCase().split(SUFFIX_OF_SEVERAL_REGEXP);
  if (name === "") return undefined;
  if (name === "copy") return "copy";
  // Old names of NVENC: nvenc, nvenc_h264, nvenc_hevc (until ffmpeg 4).
  if (name.startsWith("nvenc")) return "nvenc";
  return HARDWARE.find(([, suffix]) => name.endsWith(suffix))?.[0] ?? "software";
}

/** Whether a class is hardware. */
export function isHardware(found: EncoderClass | undefined): found is HardwareClass {
  return found !== undefined && Object.hasOwn(HARDWARE_SUFFIXES, found);
}

/**
 * Whether a job may expect hardware by its parameter `expect`: the name of a class, of an encoder, or `hardware` for
 * any.
 */
export function expectsHardware(expect: string): boolean {
  const text = expect.toLowerCase();
  return text === "hardware" || Object.hasOwn(HARDWARE_SUFFIXES, text) || isHardware(encoderClass(text));
}
