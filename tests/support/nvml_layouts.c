// Prints where the C compiler puts the members of the NVML structs that the exporter reads, one line each:
// STRUCT MEMBER OFFSET SIZE, and "STRUCT = SIZE VERSION". The declarations are our own, after NVIDIA's
// documentation of the data structures: https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceStructs.html
#include <stddef.h>
#include <stdio.h>

typedef unsigned int u32;
typedef unsigned long long u64;
typedef struct opaque *nvmlDevice_t;
typedef enum { NVML_CODEC_H264, NVML_CODEC_HEVC, NVML_CODEC_AV1 } nvmlEncoderType_t;
typedef enum { NVML_SENSOR_GPU } nvmlTemperatureSensors_t;
typedef enum { NVML_TYPE_DOUBLE, NVML_TYPE_UNSIGNED_INT } nvmlValueType_t;
typedef enum { NVML_OK, NVML_NOT = 999 } nvmlReturn_t;

typedef struct { u32 gpu, memory; } nvmlUtilization_t;
typedef struct { u64 total, free, used; } nvmlMemory_t;
typedef struct { u32 version; u64 total, reserved, free, used; } nvmlMemory_v2_t;
typedef struct {
  char busIdLegacy[16];
  u32 domain, bus, device, pciDeviceId, pciSubSystemId;
  char busId[32];
} nvmlPciInfo_t;
typedef struct { u32 version; nvmlTemperatureSensors_t sensorType; int temperature; } nvmlTemperature_t;
typedef union {
  double d;
  int i;
  u32 u;
  unsigned long ul;
  u64 ull;
  long long ll;
  unsigned short us;
} nvmlValue_t;
typedef struct {
  u32 fieldId, scopeId;
  long long timestamp, latencyUsec;
  nvmlValueType_t valueType;
  nvmlReturn_t nvmlReturn;
  nvmlValue_t value;
} nvmlFieldValue_t;
typedef struct {
  u32 sessionId, pid, vgpuInstance;
  nvmlEncoderType_t codecType;
  u32 hResolution, vResolution, averageFps, averageLatency;
} nvmlEncoderSessionInfo_t;
typedef struct { u32 pid; u64 usedGpuMemory; } nvmlProcessInfo_v1_t;
typedef struct { u32 pid; u64 usedGpuMemory; u32 gpuInstanceId, computeInstanceId; } nvmlProcessInfo_t;
typedef struct {
  u32 pid;
  u64 usedGpuMemory;
  u32 gpuInstanceId, computeInstanceId;
  u64 usedGpuCcProtectedMemory;
} nvmlProcessDetail_v1_t;
typedef struct { u32 pid; u64 timeStamp; u32 smUtil, memUtil, encUtil, decUtil; } nvmlProcessUtilizationSample_t;
typedef struct {
  u32 multiprocessorCount, sharedCopyEngineCount, sharedDecoderCount, sharedEncoderCount, sharedJpegCount,
    sharedOfaCount, gpuInstanceSliceCount, computeInstanceSliceCount;
  u64 memorySizeMB;
} nvmlDeviceAttributes_t;
typedef struct { nvmlDevice_t device; u64 eventType, eventData; u32 gpuInstanceId, computeInstanceId; } nvmlEventData_t;

#define STRUCT(type, version) printf(#type " = %zu %zu\n", sizeof(type), (version) ? sizeof(type) | (size_t)(version) << 24 : 0)
#define MEMBER(type, member) printf(#type " " #member " %zu %zu\n", offsetof(type, member), sizeof(((type *)0)->member))

int main(void) {
  STRUCT(nvmlUtilization_t, 0);
  MEMBER(nvmlUtilization_t, gpu);
  MEMBER(nvmlUtilization_t, memory);
  STRUCT(nvmlMemory_t, 0);
  MEMBER(nvmlMemory_t, total);
  MEMBER(nvmlMemory_t, free);
  MEMBER(nvmlMemory_t, used);
  STRUCT(nvmlMemory_v2_t, 2);
  MEMBER(nvmlMemory_v2_t, version);
  MEMBER(nvmlMemory_v2_t, total);
  MEMBER(nvmlMemory_v2_t, reserved);
  MEMBER(nvmlMemory_v2_t, free);
  MEMBER(nvmlMemory_v2_t, used);
  STRUCT(nvmlPciInfo_t, 0);
  MEMBER(nvmlPciInfo_t, busIdLegacy);
  MEMBER(nvmlPciInfo_t, domain);
  MEMBER(nvmlPciInfo_t, bus);
  MEMBER(nvmlPciInfo_t, device);
  MEMBER(nvmlPciInfo_t, pciDeviceId);
  MEMBER(nvmlPciInfo_t, pciSubSystemId);
  MEMBER(nvmlPciInfo_t, busId);
  STRUCT(nvmlTemperature_t, 1);
  MEMBER(nvmlTemperature_t, version);
  MEMBER(nvmlTemperature_t, sensorType);
  MEMBER(nvmlTemperature_t, temperature);
  STRUCT(nvmlFieldValue_t, 0);
  MEMBER(nvmlFieldValue_t, fieldId);
  MEMBER(nvmlFieldValue_t, scopeId);
  MEMBER(nvmlFieldValue_t, timestamp);
  MEMBER(nvmlFieldValue_t, latencyUsec);
  MEMBER(nvmlFieldValue_t, valueType);
  MEMBER(nvmlFieldValue_t, nvmlReturn);
  MEMBER(nvmlFieldValue_t, value);
  STRUCT(nvmlEncoderSessionInfo_t, 0);
  MEMBER(nvmlEncoderSessionInfo_t, sessionId);
  MEMBER(nvmlEncoderSessionInfo_t, pid);
  MEMBER(nvmlEncoderSessionInfo_t, vgpuInstance);
  MEMBER(nvmlEncoderSessionInfo_t, codecType);
  MEMBER(nvmlEncoderSessionInfo_t, hResolution);
  MEMBER(nvmlEncoderSessionInfo_t, vResolution);
  MEMBER(nvmlEncoderSessionInfo_t, averageFps);
  MEMBER(nvmlEncoderSessionInfo_t, averageLatency);
  STRUCT(nvmlProcessInfo_v1_t, 0);
  MEMBER(nvmlProcessInfo_v1_t, pid);
  MEMBER(nvmlProcessInfo_v1_t, usedGpuMemory);
  STRUCT(nvmlProcessInfo_t, 0);
  MEMBER(nvmlProcessInfo_t, pid);
  MEMBER(nvmlProcessInfo_t, usedGpuMemory);
  MEMBER(nvmlProcessInfo_t, gpuInstanceId);
  MEMBER(nvmlProcessInfo_t, computeInstanceId);
  STRUCT(nvmlProcessDetail_v1_t, 0);
  MEMBER(nvmlProcessDetail_v1_t, pid);
  MEMBER(nvmlProcessDetail_v1_t, usedGpuMemory);
  MEMBER(nvmlProcessDetail_v1_t, gpuInstanceId);
  MEMBER(nvmlProcessDetail_v1_t, computeInstanceId);
  MEMBER(nvmlProcessDetail_v1_t, usedGpuCcProtectedMemory);
  STRUCT(nvmlProcessUtilizationSample_t, 0);
  MEMBER(nvmlProcessUtilizationSample_t, pid);
  MEMBER(nvmlProcessUtilizationSample_t, timeStamp);
  MEMBER(nvmlProcessUtilizationSample_t, smUtil);
  MEMBER(nvmlProcessUtilizationSample_t, memUtil);
  MEMBER(nvmlProcessUtilizationSample_t, encUtil);
  MEMBER(nvmlProcessUtilizationSample_t, decUtil);
  STRUCT(nvmlDeviceAttributes_t, 0);
  MEMBER(nvmlDeviceAttributes_t, multiprocessorCount);
  MEMBER(nvmlDeviceAttributes_t, sharedCopyEngineCount);
  MEMBER(nvmlDeviceAttributes_t, sharedDecoderCount);
  MEMBER(nvmlDeviceAttributes_t, sharedEncoderCount);
  MEMBER(nvmlDeviceAttributes_t, sharedJpegCount);
  MEMBER(nvmlDeviceAttributes_t, sharedOfaCount);
  MEMBER(nvmlDeviceAttributes_t, gpuInstanceSliceCount);
  MEMBER(nvmlDeviceAttributes_t, computeInstanceSliceCount);
  MEMBER(nvmlDeviceAttributes_t, memorySizeMB);
  STRUCT(nvmlEventData_t, 0);
  MEMBER(nvmlEventData_t, device);
  MEMBER(nvmlEventData_t, eventType);
  MEMBER(nvmlEventData_t, eventData);
  MEMBER(nvmlEventData_t, gpuInstanceId);
  MEMBER(nvmlEventData_t, computeInstanceId);
  return 0;
}
