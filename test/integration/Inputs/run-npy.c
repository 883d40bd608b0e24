/* Runs a kernel on .npy files:
 *
 *   run-npy [name=FILE.npy ...]
 *
 * One file for every tensor of the kernel, of exactly the type that it takes. States
 * may be left out; a final state is called name:out. Files of results exist before the
 * call (their headers give the shapes) and are overwritten. KERNEL is the name of the
 * description. Needs little-endian files with a header of version 1. */
#include "mixwright/runtime.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const mixwright_kernel KERNEL;

typedef struct {
  const char *path;
  long offset; /* of the data in the file */
  int64_t shape[MIXWRIGHT_MAX_RANK + 2];
  DLTensor view;
  size_t bytes;
} file_tensor;

static void die(const char *what, const char *which) {
  fprintf(stderr, "run-npy: %s: %s\n", which, what);
  exit(1);
}

static void parse_header(file_tensor *tensor, char *header) {
  const char *descr = strstr(header, "'descr': '"), *shape = strstr(header, "'shape': (");
  if (!descr || !shape || strstr(header, "'fortran_order': True"))
    die("not a header of the kind that is understood", tensor->path);
  uint8_t bytes = (uint8_t)(descr[12] - '0');
  tensor->view.dtype = (DLDataType){descr[11] == 'f' ? kDLFloat : kDLInt, bytes * 8, 1};
  tensor->bytes = bytes;
  for (char *at = (char *)shape + 10, *end; *at && *at != ')'; at = end + strspn(end, ", ")) {
    tensor->shape[tensor->view.ndim] = strtol(at, &end, 10);
    tensor->bytes *= (size_t)tensor->shape[tensor->view.ndim++];
  }
  tensor->view.shape = tensor->shape;
}

static void read_tensor(file_tensor *tensor, int is_result) {
  FILE *file = fopen(tensor->path, "rb");
  unsigned char start[10];
  if (!file || fread(start, 1, sizeof start, file) != sizeof start)
    die("cannot be read", tensor->path);
  size_t length = start[8] | (size_t)start[9] << 8;
  char *header = calloc(length + 1, 1);
  if (!header || fread(header, 1, length, file) != length)
    die("cannot be read", tensor->path);
  parse_header(tensor, header);
  free(header);
  tensor->offset = (long)(sizeof start + length);
  tensor->view.device = (DLDevice){kDLCPU, 0};
  tensor->view.data = malloc(tensor->bytes ? tensor->bytes : 1);
  if (!tensor->view.data || fread(tensor->view.data, 1, tensor->bytes, file) != tensor->bytes)
    die("is too short", tensor->path);
  if (is_result)
    memset(tensor->view.data, 0xff, tensor->bytes); /* NaN: what is not written shows */
  fclose(file);
}

static void write_tensor(const file_tensor *tensor) {
  FILE *file = fopen(tensor->path, "r+b");
  if (!file || fseek(file, tensor->offset, SEEK_SET) != 0 ||
      fwrite(tensor->view.data, 1, tensor->bytes, file) != tensor->bytes || fclose(file) != 0)
    die("cannot be written", tensor->path);
}

/* The file given for a tensor, or NULL. */
static const char *find_path(const char *name, const char *suffix, char **words) {
  size_t length = strlen(name), more = strlen(suffix);
  for (; *words; ++words)
    if (!strncmp(*words, name, length) && !strncmp(*words + length, suffix, more) &&
        (*words)[length + more] == '=')
      return *words + length + more + 1;
  return NULL;
}

int main(int argc, char **argv) {
  const mixwright_kernel *kernel;
  if (mixwright_select(&KERNEL, &kernel) != MIXWRIGHT_OK)
    die(mixwright_last_error(), "select");
  file_tensor *files = calloc((size_t)kernel->num_args, sizeof *files);
  DLTensor **views = calloc((size_t)kernel->num_args, sizeof *views);
  int32_t count = 0;
  for (int32_t n = 0; n < kernel->num_args; ++n) {
    const mixwright_arg *arg = &kernel->args[n];
    if (arg->kind == MIXWRIGHT_WORKSPACE)
      continue;
    int is_final = arg->kind == MIXWRIGHT_STATE_OUT;
    file_tensor *tensor = &files[count];
    tensor->path = find_path(arg->name, is_final ? ":out" : "", argv + 1);
    if (tensor->path) {
      read_tensor(tensor, is_final || arg->kind == MIXWRIGHT_OUTPUT);
      views[count] = &tensor->view;
    }
    ++count;
  }
  if (mixwright_run(kernel, views, count, NULL) != MIXWRIGHT_OK)
    die(mixwright_last_error(), "run");
  for (int32_t n = 0, at = 0; n < kernel->num_args; ++n) {
    const mixwright_arg *arg = &kernel->args[n];
    if (arg->kind == MIXWRIGHT_WORKSPACE)
      continue;
    if (views[at] && (arg->kind == MIXWRIGHT_OUTPUT || arg->kind == MIXWRIGHT_STATE_OUT))
      write_tensor(&files[at]);
    ++at;
  }
  for (int32_t n = 0; n < count; ++n)
    free(files[n].view.data);
  free(files);
  free(views);
  printf("ran code for %s\n", kernel->target);
  return 0;
}
