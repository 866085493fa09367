/**
 * Writes the first GPU's memory over and over, with nothing but the driver's libcuda.so.1: a load for cards
 * without an encoder. Arguments: the library, seconds.
 *
 * CUDA driver API: https://docs.nvidia.com/cuda/cuda-driver-api/
 *
 * @module
 */

const SYMBOLS = {
  /** `CUresult cuInit(unsigned int Flags);` */
  cuInit: { parameters: ["u32"], result: "i32" },
  /** `CUresult cuDeviceGet(CUdevice *device, int ordinal);` */
  cuDeviceGet: { parameters: ["buffer", "i32"], result: "i32" },
  /** `CUresult cuDevicePrimaryCtxRetain(CUcontext *pctx, CUdevice dev);` */
  cuDevicePrimaryCtxRetain: { parameters: ["buffer", "i32"], result: "i32" },
  /** `CUresult cuCtxSetCurrent(CUcontext ctx);` */
  cuCtxSetCurrent: { parameters: ["usize"], result: "i32" },
  /** `CUresult cuMemAlloc_v2(CUdeviceptr *dptr, size_t bytesize);` */
  cuMemAlloc_v2: { parameters: ["buffer", "usize"], result: "i32" },
  /** `CUresult cuMemsetD32_v2(CUdeviceptr dstDevice, unsigned int ui, size_t N);` */
  cuMemsetD32_v2: { parameters: ["u64", "u32", "usize"], result: "i32" },
  /** `CUresult cuCtxSynchronize(void);` */
  cuCtxSynchronize: { parameters: [], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

const WORDS = 256n * 2n ** 20n;
const WRITES_A_ROUND = 64;

function run(path: string, seconds: number): void {
  const { symbols: cuda } = Deno.dlopen(path, SYMBOLS);
  const check = (name: keyof typeof SYMBOLS, code: number): void => {
    if (code !== 0) throw new Error(`${name} returned ${code}`);
  };
  const device = new Int32Array(1);
  const pointer = new BigUint64Array(1);
  check("cuInit", cuda.cuInit(0));
  check("cuDeviceGet", cuda.cuDeviceGet(device, 0));
  check("cuDevicePrimaryCtxRetain", cuda.cuDevicePrimaryCtxRetain(pointer, device[0] ?? 0));
  check("cuCtxSetCurrent", cuda.cuCtxSetCurrent(pointer[0] ?? 0n));
  check("cuMemAlloc_v2", cuda.cuMemAlloc_v2(pointer, 4n * WORDS));
  const endMs = performance.now() + seconds * 1000;
  for (let value = 0; performance.now() < endMs; value++) {
    for (let write = 0; write < WRITES_A_ROUND; write++) {
      check("cuMemsetD32_v2", cuda.cuMemsetD32_v2(pointer[0] ?? 0n, value, WORDS));
    }
    check("cuCtxSynchronize", cuda.cuCtxSynchronize());
  }
}

if (import.meta.main) {
  const [path = "", seconds = "0"] = Deno.args;
  try {
    run(path, Number(seconds));
  } catch (error) {
    Deno.stderr.writeSync(new TextEncoder().encode(`${error instanceof Error ? error.message : error}\n`));
    Deno.exit(1);
  }
}
