/* A library like nvJitLink, whose machine code is what it was asked for: "jit -arch=sm_80 5
 * .target". With REFUSES it takes nothing. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static char made[200], option[100];

int nvJitLinkCreate(void **link, uint32_t count, const char *const *options) {
  *link = made;
  snprintf(option, sizeof option, "%s", count == 1 ? options[0] : "?");
  return 0;
}

int nvJitLinkDestroy(void **link) {
  *link = NULL;
  return 0;
}

int nvJitLinkAddData(void *link, int kind, const void *data, size_t bytes, const char *name) {
  const char *text = data;
  int is_text = bytes == strlen(text) + 1;
  snprintf(made, sizeof made, "jit %s %d %s", option, kind,
           is_text && strstr(text, ".target") ? ".target" : "?");
  return 0;
}

int nvJitLinkComplete(void *link) {
#ifdef REFUSES
  return 4;
#else
  return 0;
#endif
}

int nvJitLinkGetLinkedCubinSize(void *link, size_t *bytes) {
  *bytes = strlen(made);
  return 0;
}

int nvJitLinkGetLinkedCubin(void *link, void *cubin) {
  memcpy(cubin, made, strlen(made));
  return 0;
}

static const char log_text[] = "this is no PTX\n";

int nvJitLinkGetErrorLogSize(void *link, size_t *bytes) {
  *bytes = sizeof log_text;
  return 0;
}

int nvJitLinkGetErrorLog(void *link, char *log) {
  memcpy(log, log_text, sizeof log_text);
  return 0;
}
