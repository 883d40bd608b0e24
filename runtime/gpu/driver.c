/*===- driver.c - Load CUDA and HIP, look at devices ----------------------===*\
|*
|* Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
|*===----------------------------------------------------------------------===*
|*
|* What was loaded or looked at stays for the life of the process: a driver does not come
|* back once it was closed. What failed is tried again by the next call.
|*
\*===----------------------------------------------------------------------===*/

#include "runtime/gpu/driver.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More than any machine has. */
enum { MAX_DEVICES = 64 };

/* One lock for all of this file's state. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static mw_driver cuda = {.device_type = kDLCUDA, .name = "CUDA"};
static mw_driver hip = {.device_type = kDLROCM, .name = "HIP"};
static mw_device cuda_devices[MAX_DEVICES], hip_devices[MAX_DEVICES];

/*===----------------------------------------------------------------------===*\
|* The library
\*===----------------------------------------------------------------------===*/

static const char *const cuda_libraries[] = {"libcuda.so.1", NULL};
static const char *const hip_libraries[] = {"libamdhip64.so.7", "libamdhip64.so.6",
                                            "libamdhip64.so", NULL};

static const char *get_error_name(const mw_driver *driver, int error) {
  const char *name = NULL;
  if (driver == &hip)
    return hip.hip_get_error_name(error);
  return cuda.get_error_name(error, &name) == 0 && name ? name : "an error without a name";
}

/* Looks a function up. `*function` is a pointer to a function, whatever its type. */
static mixwright_status find(void *library, const char *name, void *function) {
  void *found = dlsym(library, name);
  if (!found)
    return mw_fail(MIXWRIGHT_NO_DRIVER, "the driver is too old: it has no function '%s'", name);
  memcpy(function, &found, sizeof found);
  return MIXWRIGHT_OK;
}

static mixwright_status find_functions(mw_driver *driver, void *library) {
#define FIND(MEMBER, CUDA, HIP, PARAMETERS)                                                        \
  MW_CHECK(find(library, driver == &cuda ? (CUDA) : (HIP), &driver->MEMBER));
  MW_COMMON_FUNCTIONS(FIND)
#undef FIND
#define FIND(MEMBER, NAME, PARAMETERS) MW_CHECK(find(library, NAME, &driver->MEMBER));
  if (driver == &cuda) {
    MW_CUDA_FUNCTIONS(FIND)
  } else {
    MW_HIP_FUNCTIONS(FIND)
    MW_CHECK(find(library, "hipGetErrorName", &driver->hip_get_error_name));
  }
#undef FIND
  return MIXWRIGHT_OK;
}

static mixwright_status start_driver(mw_driver *driver, void *library) {
  MW_CHECK(find_functions(driver, library));
  int error = driver->init(0);
  if (error == MW_ERROR_NO_DEVICE)
    return mw_fail(MIXWRIGHT_NO_DEVICE, "%s: there is no device", driver->name);
  if (error)
    return mw_fail(MIXWRIGHT_NO_DRIVER, "the %s driver does not start: %s", driver->name,
                   get_error_name(driver, error));
  return MIXWRIGHT_OK;
}

static mixwright_status load_driver(mw_driver *driver) {
  if (driver->library)
    return MIXWRIGHT_OK;
  const char *const *names = driver == &cuda ? cuda_libraries : hip_libraries;
  char reasons[400] = "";
  void *library = NULL;
  for (int n = 0; names[n] && !library; ++n)
    if (!(library = dlopen(names[n], RTLD_NOW | RTLD_LOCAL)))
      mw_append(reasons, sizeof reasons, "%s%s", n ? "; " : "", dlerror());
  if (!library)
    return mw_fail(MIXWRIGHT_NO_DRIVER, "there is no %s driver: %s", driver->name, reasons);
  mixwright_status status = start_driver(driver, library);
  if (status == MIXWRIGHT_OK)
    driver->library = library;
  else
    dlclose(library);
  return status;
}

/*===----------------------------------------------------------------------===*\
|* Devices
\*===----------------------------------------------------------------------===*/

mixwright_status mw_fail_driver(const mw_device *device, int error, const char *what) {
  mixwright_status status =
      error == MW_ERROR_OUT_OF_MEMORY ? MIXWRIGHT_OUT_OF_MEMORY : MIXWRIGHT_DEVICE_ERROR;
  return mw_fail(status, "%s device %d %s: %s", device->driver->name, device->ordinal, what,
                 get_error_name(device->driver, error));
}

static mixwright_status look_at_cuda(mw_device *device) {
  int handle, major, minor, error;
  if ((error = cuda.get_device(&handle, device->ordinal)) ||
      (error = cuda.get_attribute(&major, MW_CUDA_COMPUTE_CAPABILITY_MAJOR, handle)) ||
      (error = cuda.get_attribute(&minor, MW_CUDA_COMPUTE_CAPABILITY_MINOR, handle)) ||
      (error = cuda.retain_context(&device->context, handle)))
    return mw_fail_driver(device, error, "cannot be used");
  device->architecture = 10 * major + minor;
  snprintf(device->chip, sizeof device->chip, "sm_%d", device->architecture);
  return MIXWRIGHT_OK;
}

/* The name of the chip is followed by the state of its features, ":xnack-", which our
 * code does not depend on. */
static mixwright_status look_at_hip(mw_device *device) {
  mw_hip_properties *properties = calloc(1, sizeof *properties);
  if (!properties)
    return mw_fail(MIXWRIGHT_OUT_OF_MEMORY, "no memory to describe a device");
  int error = hip.get_properties(properties, device->ordinal);
  size_t length = strcspn(properties->name, ":");
  if (length >= sizeof device->chip)
    length = sizeof device->chip - 1;
  memcpy(device->chip, properties->name, length);
  device->chip[length] = '\0';
  free(properties);
  return error ? mw_fail_driver(device, error, "cannot be used") : MIXWRIGHT_OK;
}

static mixwright_status open_device(DLDevice which, const mw_device **result) {
  int is_cuda = which.device_type == kDLCUDA;
  mw_driver *driver = is_cuda ? &cuda : &hip;
  MW_CHECK(load_driver(driver));
  int count = 0, error = driver->get_device_count(&count);
  if (error)
    return mw_fail(MIXWRIGHT_DEVICE_ERROR, "the %s driver cannot count its devices: %s",
                   driver->name, get_error_name(driver, error));
  if (which.device_id < 0 || which.device_id >= count || which.device_id >= MAX_DEVICES)
    return mw_fail(MIXWRIGHT_NO_DEVICE, "there is no %s device %d: the driver has %d", driver->name,
                   (int)which.device_id, count);
  mw_device *device = (is_cuda ? cuda_devices : hip_devices) + which.device_id;
  if (!device->driver) {
    mw_device found = {.driver = driver, .ordinal = which.device_id};
    MW_CHECK(is_cuda ? look_at_cuda(&found) : look_at_hip(&found));
    *device = found;
  }
  *result = device;
  return MIXWRIGHT_OK;
}

mixwright_status mw_get_device(DLDevice which, const mw_device **device) {
  char text[64];
  if (which.device_type != kDLCUDA && which.device_type != kDLROCM)
    return mw_fail(MIXWRIGHT_INVALID_ARGUMENT, "expected a CUDA or HIP device, got %s",
                   mw_describe_device(which, text, sizeof text));
  pthread_mutex_lock(&lock);
  mixwright_status status = open_device(which, device);
  pthread_mutex_unlock(&lock);
  return status;
}

/*===----------------------------------------------------------------------===*\
|* The current device
\*===----------------------------------------------------------------------===*/

mixwright_status mw_enter_device(const mw_device *device, int *before) {
  int error;
  *before = device->ordinal;
  if (device->driver == &cuda)
    error = cuda.push_context(device->context);
  else if (!(error = hip.get_current(before)) && *before != device->ordinal)
    error = hip.set_current(device->ordinal);
  return error ? mw_fail_driver(device, error, "cannot be made the current one") : MIXWRIGHT_OK;
}

void mw_leave_device(const mw_device *device, int before) {
  void *context;
  if (device->driver == &cuda)
    cuda.pop_context(&context);
  else if (before != device->ordinal)
    hip.set_current(before);
}
