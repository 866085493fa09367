/**
 * The functions of libnvidia-ml.so.1 that the exporter calls: names, parameters and the C prototype of each.
 *
 * Names are literal, as dlsym() sees them: nvml.h maps a plain name to its newest version by macro, so
 * "nvmlInit" is the old one. Every symbol is optional (null where the driver is older than the function), and
 * every call is non-blocking, because a sick driver can keep any of them forever. A handle (`nvmlDevice_t`,
 * `nvmlEventSet_t`) travels as `usize`, everything written through a pointer as a buffer, so that
 * `--allow-ffi` can stay scoped to this one library.
 *
 * @see https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceQueries.html
 * @module
 */

/** Common to all: the result is an `nvmlReturn_t`. */
const CALL = { result: "i32", optional: true, nonblocking: true } as const;
const NONE = { parameters: [], ...CALL } as const;
const TEXT = { parameters: ["buffer", "u32"], ...CALL } as const;
const OUT = { parameters: ["buffer"], ...CALL } as const;
const INDEX_OUT = { parameters: ["u32", "buffer"], ...CALL } as const;
const DEVICE_TEXT = { parameters: ["usize", "buffer", "u32"], ...CALL } as const;
const DEVICE_OUT = { parameters: ["usize", "buffer"], ...CALL } as const;
const DEVICE_ENUM_OUT = { parameters: ["usize", "i32", "buffer"], ...CALL } as const;
const DEVICE_INDEX_OUT = { parameters: ["usize", "u32", "buffer"], ...CALL } as const;
const DEVICE_OUT_OUT = { parameters: ["usize", "buffer", "buffer"], ...CALL } as const;
const DEVICE_OUT_OUT_OUT = { parameters: ["usize", "buffer", "buffer", "buffer"], ...CALL } as const;
const DEVICE_OUT_OUT_U64 = { parameters: ["usize", "buffer", "buffer", "u64"], ...CALL } as const;
const DEVICE_U64_SET = { parameters: ["usize", "u64", "usize"], ...CALL } as const;
const HANDLE = { parameters: ["usize"], ...CALL } as const;

/** The symbol table for `Deno.dlopen`; every function returns an `nvmlReturn_t`. */
export const NVML_SYMBOLS = {
  // ---- The library and the machine ----

  /** `nvmlReturn_t nvmlInit_v2(void);` Counted: one shutdown for each. Attaches to no GPU yet. */
  nvmlInit_v2: NONE,
  /** `nvmlReturn_t nvmlShutdown(void);` */
  nvmlShutdown: NONE,
  /** `nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned int length);` */
  nvmlSystemGetDriverVersion: TEXT,
  /** `nvmlReturn_t nvmlSystemGetNVMLVersion(char *version, unsigned int length);` */
  nvmlSystemGetNVMLVersion: TEXT,
  /** `nvmlReturn_t nvmlSystemGetCudaDriverVersion(int *cudaDriverVersion);` Needs no libcuda, unlike `_v2`. */
  nvmlSystemGetCudaDriverVersion: OUT,
  /** `nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *deviceCount);` */
  nvmlDeviceGetCount_v2: OUT,
  /** `nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *device);` Attaches the GPU. */
  nvmlDeviceGetHandleByIndex_v2: INDEX_OUT,

  // ---- Identity ----

  /** `nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned int length);` */
  nvmlDeviceGetName: DEVICE_TEXT,
  /** `nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, unsigned int length);` */
  nvmlDeviceGetUUID: DEVICE_TEXT,
  /** `nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t *pci);` */
  nvmlDeviceGetPciInfo_v3: DEVICE_OUT,
  /** `nvmlReturn_t nvmlDeviceGetMinorNumber(nvmlDevice_t device, unsigned int *minorNumber);` */
  nvmlDeviceGetMinorNumber: DEVICE_OUT,

  // ---- Power, temperature, fans ----

  /** `nvmlReturn_t nvmlDeviceGetPowerUsage(nvmlDevice_t device, unsigned int *power);` Milliwatts. */
  nvmlDeviceGetPowerUsage: DEVICE_OUT,
  /** `nvmlReturn_t nvmlDeviceGetEnforcedPowerLimit(nvmlDevice_t device, unsigned int *limit);` Milliwatts. */
  nvmlDeviceGetEnforcedPowerLimit: DEVICE_OUT,
  /** `nvmlReturn_t nvmlDeviceGetTemperatureV(nvmlDevice_t device, nvmlTemperature_t *temperature);` Since 12.8. */
  nvmlDeviceGetTemperatureV: DEVICE_OUT,
  /**
   * `nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, nvmlTemperatureSensors_t sensorType,
   * unsigned int *temp);` Degrees Celsius.
   */
  nvmlDeviceGetTemperature: DEVICE_ENUM_OUT,
  /** `nvmlReturn_t nvmlDeviceGetNumFans(nvmlDevice_t device, unsigned int *numFans);` Since 11.6. */
  nvmlDeviceGetNumFans: DEVICE_OUT,
  /** `nvmlReturn_t nvmlDeviceGetFanSpeed_v2(nvmlDevice_t device, unsigned int fan, unsigned int *speed);` */
  nvmlDeviceGetFanSpeed_v2: DEVICE_INDEX_OUT,
  /** `nvmlReturn_t nvmlDeviceGetFanSpeed(nvmlDevice_t device, unsigned int *speed);` */
  nvmlDeviceGetFanSpeed: DEVICE_OUT,

  // ---- Utilization and video engines ----

  /** `nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *utilization);` */
  nvmlDeviceGetUtilizationRates: DEVICE_OUT,
  /**
   * `nvmlReturn_t nvmlDeviceGetEncoderUtilization(nvmlDevice_t device, unsigned int *utilization,
   * unsigned int *samplingPeriodUs);`
   */
  nvmlDeviceGetEncoderUtilization: DEVICE_OUT_OUT,
  /**
   * `nvmlReturn_t nvmlDeviceGetDecoderUtilization(nvmlDevice_t device, unsigned int *utilization,
   * unsigned int *samplingPeriodUs);`
   */
  nvmlDeviceGetDecoderUtilization: DEVICE_OUT_OUT,
  /**
   * `nvmlReturn_t nvmlDeviceGetJpgUtilization(nvmlDevice_t device, unsigned int *utilization,
   * unsigned int *samplingPeriodUs);` Since 12.2.
   */
  nvmlDeviceGetJpgUtilization: DEVICE_OUT_OUT,
  /**
   * `nvmlReturn_t nvmlDeviceGetOfaUtilization(nvmlDevice_t device, unsigned int *utilization,
   * unsigned int *samplingPeriodUs);` Since 12.2.
   */
  nvmlDeviceGetOfaUtilization: DEVICE_OUT_OUT,
  /**
   * `nvmlReturn_t nvmlDeviceGetEncoderStats(nvmlDevice_t device, unsigned int *sessionCount,
   * unsigned int *averageFps, unsigned int *averageLatency);` Latency in microseconds.
   */
  nvmlDeviceGetEncoderStats: DEVICE_OUT_OUT_OUT,
  /**
   * `nvmlReturn_t nvmlDeviceGetEncoderSessions(nvmlDevice_t device, unsigned int *sessionCount,
   * nvmlEncoderSessionInfo_t *sessionInfos);` The count goes in and out.
   */
  nvmlDeviceGetEncoderSessions: DEVICE_OUT_OUT,
  /**
   * `nvmlReturn_t nvmlDeviceGetEncoderCapacity(nvmlDevice_t device, nvmlEncoderType_t encoderQueryType,
   * unsigned int *encoderCapacity);` Percent that is still free.
   */
  nvmlDeviceGetEncoderCapacity: DEVICE_ENUM_OUT,

  // ---- Memory, clocks, PCIe ----

  /** `nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *memory);` Since 11.6. */
  nvmlDeviceGetMemoryInfo_v2: DEVICE_OUT,
  /** `nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory);` */
  nvmlDeviceGetMemoryInfo: DEVICE_OUT,
  /** `nvmlReturn_t nvmlDeviceGetClockInfo(nvmlDevice_t device, nvmlClockType_t type, unsigned int *clock);` MHz. */
  nvmlDeviceGetClockInfo: DEVICE_ENUM_OUT,
  /** `nvmlReturn_t nvmlDeviceGetMaxClockInfo(nvmlDevice_t device, nvmlClockType_t type, unsigned int *clock);` */
  nvmlDeviceGetMaxClockInfo: DEVICE_ENUM_OUT,
  /** `nvmlReturn_t nvmlDeviceGetPerformanceState(nvmlDevice_t device, nvmlPstates_t *pState);` */
  nvmlDeviceGetPerformanceState: DEVICE_OUT,
  /**
   * `nvmlReturn_t nvmlDeviceGetCurrentClocksEventReasons(nvmlDevice_t device,
   * unsigned long long *clocksEventReasons);` Since 12.2.
   */
  nvmlDeviceGetCurrentClocksEventReasons: DEVICE_OUT,
  /**
   * `nvmlReturn_t nvmlDeviceGetCurrentClocksThrottleReasons(nvmlDevice_t device,
   * unsigned long long *clocksThrottleReasons);` The older name.
   */
  nvmlDeviceGetCurrentClocksThrottleReasons: DEVICE_OUT,
  /**
   * `nvmlReturn_t nvmlDeviceGetSupportedClocksEventReasons(nvmlDevice_t device,
   * unsigned long long *supportedClocksEventReasons);` Since 12.2.
   */
  nvmlDeviceGetSupportedClocksEventReasons: DEVICE_OUT,
  /**
   * `nvmlReturn_t nvmlDeviceGetSupportedClocksThrottleReasons(nvmlDevice_t device,
   * unsigned long long *supportedClocksThrottleReasons);` The older name.
   */
  nvmlDeviceGetSupportedClocksThrottleReasons: DEVICE_OUT,
  /**
   * `nvmlReturn_t nvmlDeviceGetPcieThroughput(nvmlDevice_t device, nvmlPcieUtilCounter_t counter,
   * unsigned int *value);` KB/s; measures for about 20 ms in each call.
   */
  nvmlDeviceGetPcieThroughput: DEVICE_ENUM_OUT,
  /** `nvmlReturn_t nvmlDeviceGetCurrPcieLinkGeneration(nvmlDevice_t device, unsigned int *currLinkGen);` */
  nvmlDeviceGetCurrPcieLinkGeneration: DEVICE_OUT,
  /** `nvmlReturn_t nvmlDeviceGetCurrPcieLinkWidth(nvmlDevice_t device, unsigned int *currLinkWidth);` */
  nvmlDeviceGetCurrPcieLinkWidth: DEVICE_OUT,
  /** `nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t device, int valuesCount, nvmlFieldValue_t *values);` */
  nvmlDeviceGetFieldValues: DEVICE_ENUM_OUT,

  // ---- Processes: count in and out; v3 and v2 write 24-byte records, the first version 16-byte ones ----

  /**
   * `nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned int *infoCount,
   * nvmlProcessInfo_t *infos);` Since 11.6.
   */
  nvmlDeviceGetComputeRunningProcesses_v3: DEVICE_OUT_OUT,
  /** `nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v2(…, nvmlProcessInfo_v2_t *infos);` */
  nvmlDeviceGetComputeRunningProcesses_v2: DEVICE_OUT_OUT,
  /** `nvmlReturn_t nvmlDeviceGetComputeRunningProcesses(…, nvmlProcessInfo_v1_t *infos);` */
  nvmlDeviceGetComputeRunningProcesses: DEVICE_OUT_OUT,
  /** `nvmlReturn_t nvmlDeviceGetGraphicsRunningProcesses_v3(…, nvmlProcessInfo_t *infos);` */
  nvmlDeviceGetGraphicsRunningProcesses_v3: DEVICE_OUT_OUT,
  /** `nvmlReturn_t nvmlDeviceGetGraphicsRunningProcesses_v2(…, nvmlProcessInfo_v2_t *infos);` */
  nvmlDeviceGetGraphicsRunningProcesses_v2: DEVICE_OUT_OUT,
  /** `nvmlReturn_t nvmlDeviceGetGraphicsRunningProcesses(…, nvmlProcessInfo_v1_t *infos);` */
  nvmlDeviceGetGraphicsRunningProcesses: DEVICE_OUT_OUT,
  /**
   * `nvmlReturn_t nvmlDeviceGetProcessUtilization(nvmlDevice_t device,
   * nvmlProcessUtilizationSample_t *utilization, unsigned int *processSamplesCount,
   * unsigned long long lastSeenTimeStamp);` Times in microseconds since 1970.
   */
  nvmlDeviceGetProcessUtilization: DEVICE_OUT_OUT_U64,

  // ---- MIG ----

  /**
   * `nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned int *currentMode,
   * unsigned int *pendingMode);`
   */
  nvmlDeviceGetMigMode: DEVICE_OUT_OUT,
  /** `nvmlReturn_t nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t device, unsigned int *count);` Slots. */
  nvmlDeviceGetMaxMigDeviceCount: DEVICE_OUT,
  /**
   * `nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned int index,
   * nvmlDevice_t *migDevice);`
   */
  nvmlDeviceGetMigDeviceHandleByIndex: DEVICE_INDEX_OUT,
  /** `nvmlReturn_t nvmlDeviceGetGpuInstanceId(nvmlDevice_t device, unsigned int *id);` */
  nvmlDeviceGetGpuInstanceId: DEVICE_OUT,
  /** `nvmlReturn_t nvmlDeviceGetComputeInstanceId(nvmlDevice_t device, unsigned int *id);` */
  nvmlDeviceGetComputeInstanceId: DEVICE_OUT,
  /** `nvmlReturn_t nvmlDeviceGetAttributes_v2(nvmlDevice_t device, nvmlDeviceAttributes_t *attributes);` */
  nvmlDeviceGetAttributes_v2: DEVICE_OUT,

  // ---- Events ----

  /** `nvmlReturn_t nvmlEventSetCreate(nvmlEventSet_t *set);` */
  nvmlEventSetCreate: OUT,
  /** `nvmlReturn_t nvmlDeviceRegisterEvents(nvmlDevice_t dev, unsigned long long types, nvmlEventSet_t set);` */
  nvmlDeviceRegisterEvents: DEVICE_U64_SET,
  /** `nvmlReturn_t nvmlEventSetWait_v2(nvmlEventSet_t set, nvmlEventData_t *data, unsigned int timeoutms);` */
  nvmlEventSetWait_v2: DEVICE_TEXT,
  /** `nvmlReturn_t nvmlEventSetFree(nvmlEventSet_t set);` */
  nvmlEventSetFree: HANDLE,
} as const satisfies Deno.ForeignLibraryInterface;

/** The opened functions: null where the driver does not have one. Fakes are typed by this. */
export type NvmlSymbols = Deno.DynamicLibrary<typeof NVML_SYMBOLS>["symbols"];
