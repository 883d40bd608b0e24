/*===- module.c - Choose, load and keep images ----------------------------===*\
|*
|* Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
|*===----------------------------------------------------------------------===*
|*
|* What is loaded is a list. Only one thread loads or unloads at a time, so that two that want the
|* same kernel share it; launches of what is loaded do not wait for them.
|*
\*===----------------------------------------------------------------------===*/

#include "runtime/gpu/module.h"
#include "mixwright/device.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A kernel on a device. */
typedef struct loaded {
  const mixwright_kernel *kernel;
  const mw_device *device;
  void *module;
  struct loaded *next;
  void *functions[]; /* of the phases */
} loaded;

static loaded *all;
static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;    /* of `all`, held for a moment */
static pthread_mutex_t loading_lock = PTHREAD_MUTEX_INITIALIZER; /* of those who change it */

/*===----------------------------------------------------------------------===*\
|* Selection
\*===----------------------------------------------------------------------===*/

static int is_for(const mixwright_kernel *kernel, const mw_device *device) {
  return kernel->image && kernel->image->device_type == device->driver->device_type;
}

/* How well an image suits a device: more is better, 0 not at all. Of two for the very
 * architecture, the one that no other runs has instructions that the other lacks ("sm_90a"). */
static int rate(const mixwright_kernel *kernel, const mw_device *device) {
  const mixwright_image *image = kernel->image;
  if (!is_for(kernel, device))
    return 0;
  int is_own = image->architecture ? image->architecture == device->architecture
                                   : strcmp(kernel->target, device->chip) == 0;
  if (!image->is_portable)
    return is_own ? INT32_MAX : 0;
  return image->architecture <= device->architecture ? image->architecture : 0;
}

static mixwright_status fail_all(const mixwright_kernel *kernel, const mw_device *device) {
  char targets[300] = "";
  for (const mixwright_kernel *each = kernel; each; each = each->next)
    mw_append(targets, sizeof targets, "%s%s", each == kernel ? "" : ", ", each->target);
  return mw_fail(MIXWRIGHT_UNSUPPORTED,
                 "kernel '%s' does not run on %s device %d, which is %s: it was compiled for %s",
                 kernel->mixer, device->driver->name, device->ordinal, device->chip, targets);
}

mixwright_status mw_select(const mixwright_kernel *kernel, const mw_device *device,
                           const mixwright_kernel **selected) {
  int best = 0;
  const mixwright_kernel *each = kernel;
  do {
    MW_CHECK(mw_check_version(each));
    int own = rate(each, device);
    if (own > best) {
      best = own;
      *selected = each;
    }
    each = each->next;
  } while (each);
  return best > 0 ? MIXWRIGHT_OK : fail_all(kernel, device);
}

mixwright_status mixwright_select_for_device(const mixwright_kernel *kernel, DLDevice which,
                                             const mixwright_kernel **selected) {
  if (!selected)
    return mw_fail(MIXWRIGHT_INVALID_ARGUMENT, "the address of the result is null");
  MW_CHECK(mw_check_version(kernel));
  const mw_device *device;
  MW_CHECK(mw_get_device(which, &device));
  return mw_select(kernel, device, selected);
}

/*===----------------------------------------------------------------------===*\
|* Loading
\*===----------------------------------------------------------------------===*/

static loaded *find_loaded(const mixwright_kernel *kernel, const mw_device *device) {
  pthread_mutex_lock(&list_lock);
  loaded *each = all;
  while (each && (each->kernel != kernel || each->device != device))
    each = each->next;
  pthread_mutex_unlock(&list_lock);
  return each;
}

/* Beyond 48 KiB, CUDA wants to be told how much shared memory a function may be given. */
static int allow_shared_bytes(const mw_device *device, void *function, int64_t bytes) {
  if (!device->driver->set_function_attribute || bytes == 0)
    return 0;
  return device->driver->set_function_attribute(function, MW_CUDA_FUNCTION_SHARED_BYTES,
                                                (int)bytes);
}

/* Machine code if the image has it and the driver takes it, else what the driver compiles. */
static int load_image(loaded *entry) {
  const mixwright_image *image = entry->kernel->image;
  const mw_device *device = entry->device;
  if (image->assembled && image->architecture == device->architecture &&
      !device->driver->load_module(&entry->module, image->assembled))
    return 0;
  return device->driver->load_module(&entry->module, image->data);
}

static mixwright_status load_functions(loaded *entry) {
  const mw_driver *driver = entry->device->driver;
  char what[200];
  int error = load_image(entry);
  if (error) {
    snprintf(what, sizeof what, "refuses the code of kernel '%s' for %s", entry->kernel->mixer,
             entry->kernel->target);
    return mw_fail_driver(entry->device, error, what);
  }
  for (int32_t n = 0; n < entry->kernel->num_phases && !error; ++n) {
    const mixwright_phase *phase = &entry->kernel->phases[n];
    if (!(error = driver->get_function(&entry->functions[n], entry->module, phase->function)))
      error = allow_shared_bytes(entry->device, entry->functions[n], phase->scratch_bytes);
    snprintf(what, sizeof what, "refuses the function '%s'", phase->function);
  }
  if (!error)
    return MIXWRIGHT_OK;
  driver->unload_module(entry->module);
  return mw_fail_driver(entry->device, error, what);
}

/* Loads a kernel that no other thread has loaded in the meantime. */
static mixwright_status load(const mixwright_kernel *kernel, const mw_device *device,
                             loaded **result) {
  if ((*result = find_loaded(kernel, device)))
    return MIXWRIGHT_OK;
  loaded *entry = calloc(1, sizeof *entry + (size_t)kernel->num_phases * sizeof(void *));
  if (!entry)
    return mw_fail(MIXWRIGHT_OUT_OF_MEMORY, "no memory to load kernel '%s'", kernel->mixer);
  entry->kernel = kernel;
  entry->device = device;
  mixwright_status status = load_functions(entry);
  if (status != MIXWRIGHT_OK) {
    free(entry);
    return status;
  }
  pthread_mutex_lock(&list_lock);
  entry->next = all;
  all = entry;
  pthread_mutex_unlock(&list_lock);
  *result = entry;
  return MIXWRIGHT_OK;
}

mixwright_status mw_get_functions(const mixwright_kernel *kernel, const mw_device *device,
                                  void *const **functions) {
  mixwright_status status = MIXWRIGHT_OK;
  loaded *entry = find_loaded(kernel, device);
  if (!entry) {
    pthread_mutex_lock(&loading_lock);
    status = load(kernel, device, &entry);
    pthread_mutex_unlock(&loading_lock);
  }
  if (status == MIXWRIGHT_OK)
    *functions = entry->functions;
  return status;
}

/*===----------------------------------------------------------------------===*\
|* Unloading
\*===----------------------------------------------------------------------===*/

static int is_in_list(const mixwright_kernel *kernel, const mixwright_kernel *list) {
  while (list && list != kernel)
    list = list->next;
  return list != NULL;
}

/* Takes the entries of a list of kernels out of `all`. */
static loaded *take_loaded(const mixwright_kernel *kernel) {
  loaded *taken = NULL;
  pthread_mutex_lock(&list_lock);
  for (loaded **link = &all; *link;) {
    loaded *entry = *link;
    if (!is_in_list(entry->kernel, kernel)) {
      link = &entry->next;
      continue;
    }
    *link = entry->next;
    entry->next = taken;
    taken = entry;
  }
  pthread_mutex_unlock(&list_lock);
  return taken;
}

static mixwright_status unload(loaded *entry) {
  const mw_device *device = entry->device;
  int before, error;
  MW_CHECK(mw_enter_device(device, &before));
  error = device->driver->unload_module(entry->module);
  mw_leave_device(device, before);
  return error ? mw_fail_driver(device, error, "cannot unload a kernel") : MIXWRIGHT_OK;
}

mixwright_status mixwright_unload(const mixwright_kernel *kernel) {
  MW_CHECK(mw_check_version(kernel));
  mixwright_status status = MIXWRIGHT_OK;
  pthread_mutex_lock(&loading_lock);
  loaded *next, *entry = take_loaded(kernel);
  for (; entry; entry = next) {
    next = entry->next;
    mixwright_status own = unload(entry);
    status = status == MIXWRIGHT_OK ? own : status;
    free(entry);
  }
  pthread_mutex_unlock(&loading_lock);
  return status;
}
