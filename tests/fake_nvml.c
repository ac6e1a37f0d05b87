/* A libnvidia-ml.so.1 that answers from a text file, so that the real binding runs without a GPU.
   The file is named by FAKE_NVML and read when NVML is opened. Its lines (see tests/fake_driver.py):
     error|CODE                                     opening fails
     UUID|NAME|TOTAL|USED|MIG|ECC|PENDING|FAILED|RECOVERY|LOST|BUSY|PID:NAME:MIB,...   a GPU, or, if its UUID begins with
   MIG, a slice of the GPU above it. TOTAL, USED and MIB in MiB; LOST: the code that asking for its memory gives; BUSY: in
   percent, less than 0 if that is not told. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OK = 0, INVALID = 2, UNSUPPORTED = 3, NOT_FOUND = 6, TOO_SMALL = 7 };
#define MIB (1024ULL * 1024ULL)
#define MOST 32

struct process { unsigned pid; char name[64]; unsigned long long mib; };
struct gpu {
  char uuid[96], name[96];
  unsigned long long total, used, ecc;
  int busy;
  unsigned mig, pending, failed, recovery, lost, processes, slices;
  struct process process[8];
  struct gpu *slice[8];
};
struct memory { unsigned version; unsigned long long total, reserved, free, used; };
struct info { unsigned pid; unsigned long long used; unsigned gpu_instance, compute_instance; };
struct busy { unsigned gpu, memory; };
struct field { unsigned id, scope; long long at, latency; unsigned type, ret; union { unsigned u; unsigned long long w; } value; };

static struct gpu entry[MOST];
static struct gpu *whole[MOST];
static unsigned entries, wholes;

static char *next(char **rest) { char *word = strsep(rest, "|"); return word ? word : ""; }

static void read_gpu(char *line) {
  struct gpu *gpu = &entry[entries++];
  memset(gpu, 0, sizeof *gpu);
  strncpy(gpu->uuid, next(&line), 95);
  strncpy(gpu->name, next(&line), 95);
  gpu->total = strtoull(next(&line), 0, 10); gpu->used = strtoull(next(&line), 0, 10);
  gpu->mig = atoi(next(&line)); gpu->ecc = strtoull(next(&line), 0, 10);
  gpu->pending = atoi(next(&line)); gpu->failed = atoi(next(&line)); gpu->recovery = atoi(next(&line));
  gpu->lost = atoi(next(&line)); gpu->busy = atoi(next(&line));
  for (char *one; line && (one = strsep(&line, ",")) && *one && gpu->processes < 8;) {
    struct process *process = &gpu->process[gpu->processes++];
    process->pid = atoi(strsep(&one, ":"));
    strncpy(process->name, one ? strsep(&one, ":") : "", 63);
    process->mib = one ? strtoull(one, 0, 10) : 0;
  }
  if (strncmp(gpu->uuid, "MIG", 3)) whole[wholes++] = gpu;
  else whole[wholes - 1]->slice[whole[wholes - 1]->slices++] = gpu;
}

int nvmlInitWithFlags(unsigned flags) {
  char line[1024], *path = getenv("FAKE_NVML");
  FILE *file = path ? fopen(path, "r") : 0;
  int code = OK;
  entries = wholes = 0;
  while (file && !code && entries < MOST && fgets(line, sizeof line, file)) {
    line[strcspn(line, "\n")] = 0;
    if (!strncmp(line, "error|", 6)) code = atoi(line + 6);
    else if (*line) read_gpu(line);
  }
  if (file) fclose(file);
  return code;
}
int nvmlShutdown(void) { return OK; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = wholes; return OK; }
int nvmlDeviceGetHandleByIndex_v2(unsigned number, struct gpu **gpu) { *gpu = whole[number]; return OK; }
int nvmlDeviceGetUUID(struct gpu *gpu, char *text, unsigned size) { strncpy(text, gpu->uuid, size); return OK; }
int nvmlDeviceGetName(struct gpu *gpu, char *text, unsigned size) { strncpy(text, gpu->name, size); return OK; }

int nvmlDeviceGetMemoryInfo_v2(struct gpu *gpu, struct memory *memory) {
  if (gpu->lost) return gpu->lost;
  memory->total = gpu->total * MIB; memory->used = gpu->used * MIB; memory->free = memory->total - memory->used;
  memory->reserved = 0;
  return OK;
}

int nvmlDeviceGetUtilizationRates(struct gpu *gpu, struct busy *busy) {
  if (gpu->busy < 0) return UNSUPPORTED;
  busy->gpu = gpu->busy; busy->memory = 0;
  return OK;
}

/* Those that draw are not told, as by a driver that knows only the older calls and none of them. */
int nvmlDeviceGetComputeRunningProcesses_v3(struct gpu *gpu, unsigned *count, struct info *infos) {
  unsigned room = *count;
  *count = gpu->processes;
  if (room < gpu->processes) return TOO_SMALL;
  for (unsigned i = 0; i < gpu->processes; i++) {
    memset(&infos[i], 0, sizeof infos[i]);
    infos[i].pid = gpu->process[i].pid; infos[i].used = gpu->process[i].mib * MIB;
  }
  return OK;
}

int nvmlSystemGetProcessName(unsigned pid, char *text, unsigned size) {
  for (unsigned e = 0; e < entries; e++)
    for (unsigned i = 0; i < entry[e].processes; i++)
      if (entry[e].process[i].pid == pid) { strncpy(text, entry[e].process[i].name, size); return OK; }
  return NOT_FOUND;
}

int nvmlDeviceGetTotalEccErrors(struct gpu *gpu, unsigned type, unsigned counter, unsigned long long *count) {
  if (type != 1 || counter != 0) return INVALID; /* uncorrected, volatile */
  *count = gpu->ecc;
  return OK;
}
int nvmlDeviceGetRemappedRows(struct gpu *gpu, unsigned *corrected, unsigned *uncorrected, unsigned *pending, unsigned *failed) {
  *corrected = *uncorrected = 0; *pending = gpu->pending; *failed = gpu->failed;
  return OK;
}
int nvmlDeviceGetFieldValues(struct gpu *gpu, int count, struct field *fields) {
  for (int i = 0; i < count; i++) {
    fields[i].ret = fields[i].id == 230 ? OK : UNSUPPORTED; /* the recovery action */
    fields[i].value.u = gpu->recovery;
  }
  return OK;
}
int nvmlDeviceGetMigMode(struct gpu *gpu, unsigned *current, unsigned *pending) {
  *current = *pending = gpu->mig;
  return OK;
}
int nvmlDeviceGetMaxMigDeviceCount(struct gpu *gpu, unsigned *count) { *count = 7; return OK; }
int nvmlDeviceGetMigDeviceHandleByIndex(struct gpu *gpu, unsigned place, struct gpu **slice) {
  if (place >= gpu->slices) return NOT_FOUND;
  *slice = gpu->slice[place];
  return OK;
}
