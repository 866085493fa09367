// A stand-in for libnvidia-ml.so.1, so that the real dlopen path runs where no GPU is.
//
// It answers from a text file named "script" beside the library, and reads it again when it changes, so one test
// can walk a GPU through normal, busy, lost and back. A line is SCOPE FUNCTION ANSWER:
//
//   sys nvmlDeviceGetCount_v2 4            the library and the machine
//   gpu* nvmlDeviceGetPowerUsage 61234     every GPU
//   gpu2 nvmlDeviceGetPowerUsage !15       one GPU; !N is the return code N
//   gpu2 * !15                             everything of one GPU
//   gpu0 nvmlDeviceGetClockInfo:1 1980     a call with an enum or index argument
//   gpu0 field:82 1 45                     a field value: value type and value
//   gpu0/mig1 nvmlDeviceGetUUID MIG-…      a MIG device; gpu0/mig*, gpu*/mig* too
//   gpu0 nvmlDeviceGetName hex:41ff42      text given as bytes, with no end marker
//   gpu0 nvmlDeviceGetPowerUsage hang      does not return until the script changes
//   gpu0 nvmlDeviceGetEncoderSessions claim 5000   pretends that many records
//   event 1 gpu0 8 79                      an event, given once: serial number, GPU, type, data
//   sys delay_us 100 / sys serial 1        every call takes that long / and one waits for the other
//   sys record_size 32                     what the process lists write per record
//   sys max_wait_ms 20                     waiting for an event times out earlier than asked
//
// The most exact scope wins, within it the last line. What the script does not name is not supported (3).
// Calling it in a way that would be undefined with the real library (shutdown during a call, a set used after
// free) ends the process.
// -DOLD_DRIVER leaves out what drivers before R510 do not export.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>

typedef unsigned int u32;
typedef unsigned long long u64;
typedef uint64_t handle;
enum { OK = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7, TIMEOUT = 10 };
enum { MAX_LINES = 8192, MAX_TEXT = 8192, MAX_GPUS = 64 };

typedef struct { char *scope, *function, *answer; } line;
typedef struct { int code; char text[MAX_TEXT]; } reply;

static pthread_mutex_t script_lock = PTHREAD_MUTEX_INITIALIZER, driver_lock = PTHREAD_MUTEX_INITIALIZER;
static char *script_text;
static line lines[MAX_LINES];
static int line_count;
static struct stat script_stat;
static u64 delay_us, record_size, max_wait_ms;
static int serial;

static atomic_int initialized, generation, inside, inside_wait, sets, last_event;
static atomic_ullong calls, inits, most_inside_gpu;
static atomic_int inside_gpu[MAX_GPUS];

static void misuse(const char *what) {
  fprintf(stderr, "nvml stub: %s\n", what);
  abort();
}

/* Reads the script again when it has changed. Holds script_lock. */
static void load_script(void) {
  static char path[PATH_MAX];
  if (!path[0]) {
    Dl_info info;
    if (!dladdr((void *)load_script, &info)) misuse("does not know its own path");
    snprintf(path, sizeof path, "%s", info.dli_fname);
    strcpy(strrchr(path, '/') + 1, "script");
  }
  struct stat now;
  if (stat(path, &now)) misuse("has no script beside it");
  if (script_text && now.st_ino == script_stat.st_ino && now.st_size == script_stat.st_size &&
      now.st_mtim.tv_sec == script_stat.st_mtim.tv_sec && now.st_mtim.tv_nsec == script_stat.st_mtim.tv_nsec) return;
  script_stat = now;
  FILE *file = fopen(path, "r");
  if (!file) misuse("cannot open its script");
  free(script_text);
  script_text = calloc(1, now.st_size + 1);
  size_t got = fread(script_text, 1, now.st_size, file);
  script_text[got] = 0;
  fclose(file);
  line_count = 0, max_wait_ms = 0, delay_us = 0, serial = 0, record_size = 0;
  char *rest = script_text, *one;
  while ((one = strsep(&rest, "\n"))) {
    if (!*one || *one == '#') continue;
    if (line_count == MAX_LINES) misuse("script is too long");
    line *l = &lines[line_count];
    l->scope = strsep(&one, " ");
    l->function = one ? strsep(&one, " ") : NULL;
    l->answer = one ? one : "";
    if (!l->function) misuse("script line without a function");
    if (!strcmp(l->function, "delay_us")) delay_us = strtoull(l->answer, 0, 10);
    if (!strcmp(l->function, "max_wait_ms")) max_wait_ms = strtoull(l->answer, 0, 10);
    if (!strcmp(l->function, "serial")) serial = atoi(l->answer);
    if (!strcmp(l->function, "record_size")) record_size = strtoull(l->answer, 0, 10);
    line_count++;
  }
}

static const char *find(const char *scope, const char *function) {
  for (int i = line_count - 1; i >= 0; i--) {
    if (strcmp(lines[i].scope, scope)) continue;
    if (!strcmp(lines[i].function, function) || !strcmp(lines[i].function, "*")) return lines[i].answer;
  }
  return NULL;
}

static void take_time(void) {
  static __thread int precise;
  if (!delay_us) return;
  if (!precise) precise = 1, prctl(PR_SET_TIMERSLACK, 1);
  struct timespec t = { delay_us / 1000000, delay_us % 1000000 * 1000 };
  if (serial) pthread_mutex_lock(&driver_lock);
  nanosleep(&t, NULL);
  if (serial) pthread_mutex_unlock(&driver_lock);
}

static handle handle_of(int gpu, int mig) {
  return 0x7e0000000000ull | (u64)generation << 24 | (u64)gpu << 8 | (u64)(mig + 1);
}

/* The scopes of a handle, most exact first; 0 when the handle is stale. */
static int scopes_of(handle h, char out[4][32], int *gpu) {
  if (h == 0) return strcpy(out[0], "sys"), *gpu = -1, 1;
  int mig = (int)(h & 0xff) - 1;
  *gpu = (int)(h >> 8 & 0xffff);
  if (h != handle_of(*gpu, mig)) return 0;
  if (mig < 0) return sprintf(out[0], "gpu%d", *gpu), strcpy(out[1], "gpu*"), 2;
  sprintf(out[0], "gpu%d/mig%d", *gpu, mig), sprintf(out[1], "gpu%d/mig*", *gpu), strcpy(out[2], "gpu*/mig*");
  return 3;
}

/* Answers one call: nonzero is the return code to give, zero means that r->text holds the values. */
static int ask(handle h, const char *function, int argument, reply *r) {
  char scopes[4][32], name[96];
  int gpu;
  snprintf(name, sizeof name, argument < 0 ? "%s" : "%s:%d", function, argument);
  calls++;
  inside++;
  int count = scopes_of(h, scopes, &gpu);
  if (gpu >= 0 && gpu < MAX_GPUS) {
    u64 now = (u64)++inside_gpu[gpu], most = most_inside_gpu;
    while (now > most && !atomic_compare_exchange_weak(&most_inside_gpu, &most, now)) {}
  }
  r->code = count ? NOT_SUPPORTED : INVALID_ARGUMENT;
  for (int hung = 1; hung && count;) {
    pthread_mutex_lock(&script_lock);
    load_script();
    const char *answer = NULL;
    for (int i = 0; i < count && !answer; i++) answer = find(scopes[i], name);
    hung = answer && !strcmp(answer, "hang");
    if (answer && *answer == '!') r->code = atoi(answer + 1);
    else if (answer && !hung) r->code = OK, snprintf(r->text, sizeof r->text, "%s", answer);
    pthread_mutex_unlock(&script_lock);
    if (hung) nanosleep(&(struct timespec){ 0, 5000000 }, NULL);
  }
  take_time();
  if (!initialized && strcmp(function, "nvmlInit_v2")) r->code = UNINITIALIZED;
  if (gpu >= 0 && gpu < MAX_GPUS) inside_gpu[gpu]--;
  inside--;
  return r->code;
}

static int numbers(const char *text, u64 *out, int most) {
  int n = 0;
  for (char *end; n < most; text = end) {
    out[n] = strtoull(text, &end, 10);
    if (*text == '-') out[n] = (u64)strtoll(text, &end, 10);
    if (end == text) break;
    n++;
  }
  return n;
}

static int give_text(reply *r, char *out, u32 length) {
  if (!strncmp(r->text, "hex:", 4)) {
    for (u32 i = 0, byte; i < length && sscanf(r->text + 4 + 2 * i, "%2x", &byte) == 1; i++) out[i] = (char)byte;
    return OK;
  }
  if (strlen(r->text) + 1 > length) return INSUFFICIENT_SIZE;
  strcpy(out, r->text);
  return OK;
}

/* Writes up to *count records of `width` numbers; `wide`: which numbers take 8 bytes. */
static int give_records(reply *r, u32 *count, char *out, int width, const int *offsets, const int *wide, int size,
                        int query_is_ok) {
  u64 v[4096];
  u32 claimed = 0;
  const char *text = r->text;
  if (!strncmp(text, "claim ", 6)) claimed = (u32)atoi(text + 6), text = "";
  u32 n = (u32)(numbers(text, v, 4096) / width), room = *count;
  if (claimed) return *count = claimed, OK;
  *count = n;
  if (n > room) return room == 0 && query_is_ok ? OK : INSUFFICIENT_SIZE;
  for (u32 i = 0; i < n; i++)
    for (int f = 0; f < width; f++) {
      u64 value = v[i * width + f];
      if (offsets[f] + (wide[f] ? 8 : 4) > size) continue;
      if (wide[f]) memcpy(out + (size_t)i * size + offsets[f], &value, 8);
      else memcpy(out + (size_t)i * size + offsets[f], &(u32){ (u32)value }, 4);
    }
  return OK;
}

#define ASK(h, argument) reply r; u64 v[16] = { 0 }; int code = ask(h, __func__, argument, &r); (void)v; \
  if (code) return code; \
  numbers(r.text, v, 16)
#define OUT1(name) int name(handle h, u32 *a) { ASK(h, -1); *a = (u32)v[0]; return OK; }
#define OUT2(name) int name(handle h, u32 *a, u32 *b) { ASK(h, -1); *a = (u32)v[0]; *b = (u32)v[1]; return OK; }
#define OUT64(name) int name(handle h, u64 *a) { ASK(h, -1); *a = v[0]; return OK; }
#define BY_ENUM(name) int name(handle h, int type, u32 *a) { ASK(h, type); *a = (u32)v[0]; return OK; }
#define TEXT(name) int name(handle h, char *t, u32 length) { ASK(h, -1); return give_text(&r, t, length); }

int nvmlInit_v2(void) {
  reply r;
  int code = ask(0, __func__, -1, &r);
  if (code && code != NOT_SUPPORTED) return code;
  inits++;
  if (!initialized++) generation++;
  return OK;
}

int nvmlShutdown(void) {
  if (!initialized) return UNINITIALIZED;
  if (inside || inside_wait) misuse("nvmlShutdown while a call is inside");
  initialized--;
  return OK;
}

int nvmlSystemGetDriverVersion(char *t, u32 length) { ASK(0, -1); return give_text(&r, t, length); }
int nvmlSystemGetNVMLVersion(char *t, u32 length) { ASK(0, -1); return give_text(&r, t, length); }
int nvmlSystemGetCudaDriverVersion(int *version) { ASK(0, -1); *version = (int)v[0]; return OK; }
int nvmlDeviceGetCount_v2(u32 *count) { ASK(0, -1); *count = (u32)v[0]; return OK; }

int nvmlDeviceGetHandleByIndex_v2(u32 index, handle *device) {
  if (!initialized) return UNINITIALIZED;
  reply r;
  int code = ask(handle_of((int)index, -1), __func__, -1, &r);
  if (code && code != NOT_SUPPORTED) return code;
  *device = handle_of((int)index, -1);
  return OK;
}

TEXT(nvmlDeviceGetName)
TEXT(nvmlDeviceGetUUID)
OUT1(nvmlDeviceGetMinorNumber)

int nvmlDeviceGetPciInfo_v3(handle h, char *pci) {
  ASK(h, -1);
  memset(pci, 0, 68);
  return give_text(&r, pci + 36, 32);
}

OUT1(nvmlDeviceGetPowerUsage)
OUT1(nvmlDeviceGetEnforcedPowerLimit)
BY_ENUM(nvmlDeviceGetTemperature)
OUT1(nvmlDeviceGetFanSpeed)
BY_ENUM(nvmlDeviceGetFanSpeed_v2)

int nvmlDeviceGetUtilizationRates(handle h, u32 *both) { ASK(h, -1); both[0] = (u32)v[0], both[1] = (u32)v[1]; return OK; }
OUT2(nvmlDeviceGetEncoderUtilization)
OUT2(nvmlDeviceGetDecoderUtilization)
BY_ENUM(nvmlDeviceGetEncoderCapacity)

int nvmlDeviceGetEncoderStats(handle h, u32 *a, u32 *b, u32 *c) {
  ASK(h, -1);
  *a = (u32)v[0], *b = (u32)v[1], *c = (u32)v[2];
  return OK;
}

int nvmlDeviceGetEncoderSessions(handle h, u32 *count, char *out) {
  ASK(h, -1);
  static const int at[] = { 0, 4, 8, 12, 16, 20, 24, 28 }, wide[8] = { 0 };
  return give_records(&r, count, out, 8, at, wide, 32, 1);
}

int nvmlDeviceGetMemoryInfo(handle h, u64 *m) { ASK(h, -1); m[0] = v[0], m[1] = v[1], m[2] = v[2]; return OK; }
BY_ENUM(nvmlDeviceGetClockInfo)
BY_ENUM(nvmlDeviceGetMaxClockInfo)
OUT1(nvmlDeviceGetPerformanceState)
OUT64(nvmlDeviceGetCurrentClocksThrottleReasons)
OUT64(nvmlDeviceGetSupportedClocksThrottleReasons)
BY_ENUM(nvmlDeviceGetPcieThroughput)
OUT1(nvmlDeviceGetCurrPcieLinkGeneration)
OUT1(nvmlDeviceGetCurrPcieLinkWidth)

int nvmlDeviceGetFieldValues(handle h, int count, char *values) {
  reply r;
  int any = 0, code = ask(h, __func__, -1, &r);
  if (code && code != NOT_SUPPORTED) return code;
  for (int i = 0; i < count; i++, values += 40) {
    char scopes[4][32], name[32];
    int gpu, id, found = NOT_SUPPORTED;
    memcpy(&id, values, 4);
    snprintf(name, sizeof name, "field:%d", id);
    memset(values + 8, 0xA5, 32); /* undefined unless the entry says 0 */
    pthread_mutex_lock(&script_lock);
    for (int s = 0, n = scopes_of(h, scopes, &gpu); s < n; s++) {
      const char *answer = find(scopes[s], name);
      if (!answer) continue;
      u64 v[2] = { 0 };
      if (*answer == '!') found = atoi(answer + 1);
      else if (numbers(answer, v, 2) == 2) found = OK, memcpy(values + 24, &v[0], 4), memcpy(values + 32, &v[1], 8);
      break;
    }
    pthread_mutex_unlock(&script_lock);
    memcpy(values + 28, &found, 4);
    any |= !found;
  }
  return any ? OK : NOT_SUPPORTED;
}

static int processes(handle h, const char *function, u32 *count, char *out, int size) {
  reply r;
  int code = ask(h, function, -1, &r);
  if (code) return code;
  static const int at[] = { 0, 8, 16, 20, 24 }, wide[] = { 0, 1, 0, 0, 1 };
  if (size != 16 && record_size) size = (int)record_size;
  char five[MAX_TEXT] = "";
  u64 v[2048];
  int n = numbers(r.text, v, 2048);
  if (!strncmp(r.text, "claim", 5)) return give_records(&r, count, out, 5, at, wide, size, 0);
  for (int i = 0, used = 0; i < n / 4 * 4; i++)
    used += snprintf(five + used, sizeof five - used, i % 4 == 3 ? "%llu 0 " : "%llu ", v[i]);
  strcpy(r.text, five);
  return give_records(&r, count, out, 5, at, wide, size, 1);
}
#define PROCESSES(name, size) int name(handle h, u32 *n, char *out) { return processes(h, __func__, n, out, size); }
PROCESSES(nvmlDeviceGetComputeRunningProcesses, 16)
PROCESSES(nvmlDeviceGetGraphicsRunningProcesses, 16)
PROCESSES(nvmlDeviceGetComputeRunningProcesses_v2, 24)
PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v2, 24)

int nvmlDeviceGetProcessUtilization(handle h, char *out, u32 *count, u64 last_seen) {
  ASK(h, -1);
  static const int at[] = { 0, 8, 16, 20, 24, 28 }, wide[] = { 0, 1, 0, 0, 0, 0 };
  u64 all[2048];
  char newer[MAX_TEXT] = "";
  int n = numbers(r.text, all, 2048) / 6, used = 0;
  for (int i = 0; i < n; i++)
    if (all[6 * i + 1] > last_seen)
      for (int f = 0; f < 6; f++) used += snprintf(newer + used, sizeof newer - used, "%llu ", all[6 * i + f]);
  if (strncmp(r.text, "claim", 5)) {
    if (!used) return NOT_FOUND;
    strcpy(r.text, newer);
  }
  return give_records(&r, count, out, 6, at, wide, 32, 0);
}

OUT2(nvmlDeviceGetMigMode)
OUT1(nvmlDeviceGetMaxMigDeviceCount)
OUT1(nvmlDeviceGetGpuInstanceId)
OUT1(nvmlDeviceGetComputeInstanceId)

int nvmlDeviceGetMigDeviceHandleByIndex(handle h, u32 index, handle *mig) {
  ASK(h, (int)index);
  *mig = handle_of((int)(h >> 8 & 0xffff), (int)index);
  return OK;
}

int nvmlDeviceGetAttributes_v2(handle h, u32 *a) {
  ASK(h, -1);
  for (int i = 0; i < 8; i++) a[i] = (u32)v[i];
  memcpy(a + 8, &v[8], 8);
  return OK;
}

int nvmlEventSetCreate(handle *set) {
  reply r;
  int code = ask(0, __func__, -1, &r);
  if (code && code != NOT_SUPPORTED) return code;
  *set = 0x7d0000000000ull | (u64)++sets;
  return OK;
}

int nvmlDeviceRegisterEvents(handle h, u64 types, handle set) {
  reply r;
  (void)types;
  if (set != (0x7d0000000000ull | (u64)sets)) misuse("a stale event set is registered");
  int code = ask(h, __func__, -1, &r);
  return code == NOT_SUPPORTED ? OK : code;
}

static int wait_event(handle set, char *data, u32 timeout_ms) {
  if (!initialized) return UNINITIALIZED;
  if (set != (0x7d0000000000ull | (u64)sets)) misuse("a stale event set is waited on");
  inside_wait++;
  int result = TIMEOUT;
  for (u32 waited = 0; result == TIMEOUT && waited < timeout_ms; waited += 5) {
    pthread_mutex_lock(&script_lock);
    load_script();
    if (max_wait_ms && max_wait_ms < timeout_ms) timeout_ms = (u32)max_wait_ms;
    for (int i = 0; i < line_count && result == TIMEOUT; i++) {
      if (!strcmp(lines[i].function, "nvmlEventSetWait_v2") && lines[i].answer[0] == '!') result = atoi(lines[i].answer + 1);
      if (strcmp(lines[i].scope, "event") || atoi(lines[i].function) <= last_event) continue;
      int gpu;
      u64 event[2] = { 0 };
      if (sscanf(lines[i].answer, "gpu%d %llu %llu", &gpu, &event[0], &event[1]) != 3) misuse("bad event line");
      last_event = atoi(lines[i].function);
      memset(data, 0xff, 32);
      memcpy(data, &(handle){ handle_of(gpu, -1) }, 8);
      memcpy(data + 8, event, 16);
      result = OK;
    }
    pthread_mutex_unlock(&script_lock);
    if (result == TIMEOUT) nanosleep(&(struct timespec){ 0, 5000000 }, NULL);
  }
  inside_wait--;
  return result;
}
int nvmlEventSetWait_v2(handle set, char *data, u32 timeout_ms) { return wait_event(set, data, timeout_ms); }

int nvmlEventSetFree(handle set) {
  if (set != (0x7d0000000000ull | (u64)sets)) misuse("an event set is freed twice");
  if (inside_wait) misuse("an event set is freed during a wait");
  sets++;
  return OK;
}

#ifndef OLD_DRIVER
int nvmlDeviceGetTemperatureV(handle h, u32 *t) {
  if (t[0] != 0x0100000C) return 25;
  ASK(h, -1);
  t[2] = (u32)v[0];
  return OK;
}
OUT1(nvmlDeviceGetNumFans)
OUT2(nvmlDeviceGetJpgUtilization)
OUT2(nvmlDeviceGetOfaUtilization)
int nvmlDeviceGetMemoryInfo_v2(handle h, char *m) {
  if (*(u32 *)m != 0x02000028) return 25;
  ASK(h, -1);
  memcpy(m + 8, v, 32);
  return OK;
}
OUT64(nvmlDeviceGetCurrentClocksEventReasons)
OUT64(nvmlDeviceGetSupportedClocksEventReasons)
PROCESSES(nvmlDeviceGetComputeRunningProcesses_v3, 24)
PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v3, 24)
#endif

/* For tests: calls, initializations, the most calls that were inside one GPU at once. */
int nvmlStubStats(u64 *out) {
  out[0] = calls, out[1] = inits, out[2] = most_inside_gpu, out[3] = (u64)inside;
  return OK;
}
