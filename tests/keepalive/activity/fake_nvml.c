/* A fake of libnvidia-ml.so.1: what its GPUs report is in a file, which it reads at each call. */
#include <stdio.h>
#include <string.h>

typedef unsigned int uint;
typedef unsigned long long ull;
typedef struct { uint gpu, memory; } utilization_t;
typedef struct { uint pid; ull used; uint gpu_instance, compute_instance; } process_t;
typedef struct { uint version; ull total, reserved, free, used; } memory_t;
typedef struct { ull time; union { double d; uint u; ull l; } value; } sample_t;
typedef struct { uint pid; ull time; uint sm, memory, encoder, decoder; } process_sample_t;

#define MAX 64
static char state_path[4096];
static struct {
  int rate, error, pids, samples, process_samples;
  ull memory_mib;
  uint pid[MAX];
  sample_t sample[MAX];
  process_sample_t process_sample[MAX];
} gpus[8];
static int init_error, count;

void fake_use_state(const char *path) { strncpy(state_path, path, sizeof state_path - 1); }

static void read_state(void) {
  FILE *file = fopen(state_path, "r");
  memset(gpus, 0, sizeof gpus);
  if (!file || fscanf(file, "%d %d", &init_error, &count) != 2) count = 0;
  for (int i = 0; i < count; i++) {
    fscanf(file, "%d %d %llu", &gpus[i].rate, &gpus[i].error, &gpus[i].memory_mib);
    fscanf(file, "%d", &gpus[i].pids);
    for (int j = 0; j < gpus[i].pids; j++) fscanf(file, "%u", &gpus[i].pid[j]);
    fscanf(file, "%d", &gpus[i].samples);
    for (int j = 0; j < gpus[i].samples; j++)
      fscanf(file, "%llu %u", &gpus[i].sample[j].time, &gpus[i].sample[j].value.u);
    fscanf(file, "%d", &gpus[i].process_samples);
    for (int j = 0; j < gpus[i].process_samples; j++)
      fscanf(file, "%u %llu %u", &gpus[i].process_sample[j].pid, &gpus[i].process_sample[j].time,
             &gpus[i].process_sample[j].sm);
  }
  if (file) fclose(file);
}

#define GPU(device) gpus[(long)(device) - 1]

int nvmlInit_v2(void) { read_state(); return init_error; }
int nvmlShutdown(void) { return 0; }
int nvmlDeviceGetCount_v2(uint *n) { read_state(); *n = count; return 0; }
int nvmlDeviceGetHandleByIndex_v2(uint i, void **device) { *device = (void *)(long)(i + 1); return 0; }
int nvmlDeviceGetName(void *device, char *name, uint length) { strncpy(name, "Fake H100", length); return 0; }

int nvmlDeviceGetUtilizationRates(void *device, utilization_t *rates) {
  rates->gpu = GPU(device).rate;
  rates->memory = 1;
  return GPU(device).error;
}

int nvmlDeviceGetComputeRunningProcesses_v3(void *device, uint *n, process_t *processes) {
  if (*n < (uint)GPU(device).pids) return 7;
  *n = GPU(device).pids;
  for (uint i = 0; i < *n; i++) processes[i] = (process_t){GPU(device).pid[i], 1 << 20, 0, 0};
  return 0;
}

int nvmlDeviceGetMemoryInfo_v2(void *device, memory_t *memory) {
  if (memory->version != (sizeof(memory_t) | 2 << 24)) return 25;
  memory->total = 80ull << 30;
  memory->used = GPU(device).memory_mib << 20;
  return 0;
}

int nvmlDeviceGetSamples(void *device, uint kind, ull since, uint *type, uint *n, sample_t *samples) {
  uint taken = 0;
  for (int i = 0; i < GPU(device).samples && taken < *n; i++)
    if (GPU(device).sample[i].time > since) samples[taken++] = GPU(device).sample[i];
  *n = taken;
  *type = 1;
  return kind != 1 ? 2 : GPU(device).error ? GPU(device).error : taken ? 0 : 6;
}

int nvmlDeviceGetProcessUtilization(void *device, process_sample_t *samples, uint *n, ull since) {
  uint taken = 0;
  for (int i = 0; i < GPU(device).process_samples && taken < *n; i++)
    if (GPU(device).process_sample[i].time > since) samples[taken++] = GPU(device).process_sample[i];
  *n = taken;
  return GPU(device).error ? GPU(device).error : taken ? 0 : 6;
}
