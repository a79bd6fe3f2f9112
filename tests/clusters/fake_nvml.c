/* A stand-in for libnvidia-ml.so.1 that lists FAKE_GPUS devices of 16 GiB. There is no CUDA behind
 * it: what runs over it shows how workers are wired to devices, and nothing about GPUs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, INVALID = 2, UNSUPPORTED = 3, NOT_FOUND = 6 };
typedef struct { unsigned long long total, available, used; } Memory;
typedef struct { unsigned gpu, memory; } Use;

static unsigned gpus(void) { const char *text = getenv("FAKE_GPUS"); return text ? atoi(text) : 0; }
static unsigned place(void *device) { return (unsigned)(size_t)device - 1; }

int nvmlInitWithFlags(unsigned flags) { (void)flags; return SUCCESS; }
int nvmlInit_v2(void) { return SUCCESS; }
int nvmlShutdown(void) { return SUCCESS; }
const char *nvmlErrorString(int code) { (void)code; return "pretend NVML"; }
int nvmlSystemGetDriverVersion(char *text, unsigned size) { snprintf(text, size, "0.0"); return SUCCESS; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = gpus(); return SUCCESS; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **device) {
    if (i >= gpus()) return INVALID;
    *device = (void *)(size_t)(i + 1);
    return SUCCESS;
}
int nvmlDeviceGetHandleByUUID(const char *uuid, void **device) {
    unsigned i;
    if (sscanf(uuid, "GPU-00000000-0000-0000-0000-%12u", &i) != 1 || i >= gpus()) return NOT_FOUND;
    *device = (void *)(size_t)(i + 1);
    return SUCCESS;
}
int nvmlDeviceGetIndex(void *device, unsigned *i) { *i = place(device); return SUCCESS; }
int nvmlDeviceGetUUID(void *device, char *text, unsigned size) {
    snprintf(text, size, "GPU-00000000-0000-0000-0000-%012u", place(device));
    return SUCCESS;
}
int nvmlDeviceGetName(void *device, char *text, unsigned size) {
    snprintf(text, size, "Pretend GPU %u", place(device));
    return SUCCESS;
}
int nvmlDeviceGetMemoryInfo(void *device, Memory *found) {
    (void)device;
    *found = (Memory){16ULL << 30, 15ULL << 30, 1ULL << 30};
    return SUCCESS;
}
int nvmlDeviceGetUtilizationRates(void *device, Use *use) {
    *use = (Use){10 * place(device), 5};
    return SUCCESS;
}
int nvmlDeviceGetCpuAffinity(void *device, unsigned words, unsigned long *set) {
    (void)device;
    memset(set, 0xff, words * sizeof *set);
    return SUCCESS;
}
int nvmlDeviceGetMigMode(void *device, unsigned *now, unsigned *next) {
    (void)device; (void)now; (void)next;
    return UNSUPPORTED;
}
int nvmlDeviceGetComputeRunningProcesses_v2(void *device, unsigned *count, void *found) {
    (void)device; (void)found;
    *count = 0;
    return SUCCESS;
}
