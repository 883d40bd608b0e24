/*===- driver.h - CUDA and HIP at run time ------------------------*- C -*-===*\
|*
|* Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
|*===----------------------------------------------------------------------===*
|*
|* What is used of the two drivers, found in their libraries by name. Sources of names,
|* parameters and numbers: cuda.h of the CUDA toolkit ("CUDA Driver API"), version 11.0 and later;
|* hip/hip_runtime_api.h of ROCm, version 6.0 and later. HIP is modelled on CUDA: most
|* functions differ in their names only. Handles of either are pointers here, and so are
|* addresses of devices, which cuda.h declares as integers of the same size and passes
|* alike. Enumerations are int, and a result of 0 is success in both.
|*
\*===----------------------------------------------------------------------===*/

#ifndef MIXWRIGHT_RUNTIME_GPU_DRIVER_H
#define MIXWRIGHT_RUNTIME_GPU_DRIVER_H

#include "runtime/internal.h"

#ifdef __cplusplus
extern "C" {
#endif

/* X(member, name in CUDA, name in HIP, parameters) */
#define MW_COMMON_FUNCTIONS(X)                                                                     \
  X(init, "cuInit", "hipInit", (unsigned flags))                                                   \
  X(get_device_count, "cuDeviceGetCount", "hipGetDeviceCount", (int *count))                       \
  X(load_module, "cuModuleLoadData", "hipModuleLoadData", (void **module, const void *image))      \
  X(unload_module, "cuModuleUnload", "hipModuleUnload", (void *module))                            \
  X(get_function, "cuModuleGetFunction", "hipModuleGetFunction",                                   \
    (void **function, void *module, const char *name))                                             \
  X(launch, "cuLaunchKernel", "hipModuleLaunchKernel",                                             \
    (void *function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,          \
     unsigned block_y, unsigned block_z, unsigned shared_bytes, void *stream, void **parameters,   \
     void **extra))                                                                                \
  MW_CALLER_FUNCTIONS(X)

/* What a caller of mixwright_launch does, and launches never do; mixc is one. */
#define MW_CALLER_FUNCTIONS(X)                                                                     \
  X(allocate, "cuMemAlloc_v2", "hipMalloc", (void **address, size_t bytes))                        \
  X(release, "cuMemFree_v2", "hipFree", (void *address))                                           \
  X(copy_to_device, "cuMemcpyHtoD_v2", "hipMemcpyHtoD",                                            \
    (void *to, const void *from, size_t bytes))                                                    \
  X(copy_to_host, "cuMemcpyDtoH_v2", "hipMemcpyDtoH", (void *to, void *from, size_t bytes))        \
  X(create_stream, "cuStreamCreate", "hipStreamCreateWithFlags", (void **stream, unsigned flags))  \
  X(destroy_stream, "cuStreamDestroy_v2", "hipStreamDestroy", (void *stream))                      \
  X(wait_for_stream, "cuStreamSynchronize", "hipStreamSynchronize", (void *stream))                \
  X(create_event, "cuEventCreate", "hipEventCreateWithFlags", (void **event, unsigned flags))      \
  X(destroy_event, "cuEventDestroy_v2", "hipEventDestroy", (void *event))                          \
  X(record_event, "cuEventRecord", "hipEventRecord", (void *event, void *stream))                  \
  X(get_elapsed, "cuEventElapsedTime", "hipEventElapsedTime",                                      \
    (float *milliseconds, void *begin, void *end))

#define MW_CUDA_FUNCTIONS(X)                                                                       \
  X(get_device, "cuDeviceGet", (int *device, int ordinal))                                         \
  X(get_attribute, "cuDeviceGetAttribute", (int *value, int attribute, int device))                \
  X(retain_context, "cuDevicePrimaryCtxRetain", (void **context, int device))                      \
  X(push_context, "cuCtxPushCurrent_v2", (void *context))                                          \
  X(pop_context, "cuCtxPopCurrent_v2", (void **context))                                           \
  X(set_function_attribute, "cuFuncSetAttribute", (void *function, int attribute, int value))      \
  X(get_error_name, "cuGetErrorName", (int error, const char **name))

#define MW_HIP_FUNCTIONS(X)                                                                        \
  X(get_current, "hipGetDevice", (int *ordinal))                                                   \
  X(set_current, "hipSetDevice", (int ordinal))                                                    \
  X(get_properties, "hipGetDevicePropertiesR0600", (void *properties, int ordinal))

/* Numbers that both have. */
enum { MW_ERROR_OUT_OF_MEMORY = 2, MW_ERROR_NO_DEVICE = 100 };

/* Numbers of cuda.h. */
enum {
  MW_CUDA_COMPUTE_CAPABILITY_MAJOR = 75,
  MW_CUDA_COMPUTE_CAPABILITY_MINOR = 76,
  MW_CUDA_FUNCTION_SHARED_BYTES = 8 /* CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES */
};

/* hipDeviceProp_tR0600, whose 1472 bytes may grow: the member gcnArchName. */
typedef struct mw_hip_properties {
  char before[1160];
  char name[256]; /* "gfx942:sramecc+:xnack-" */
  char after[2680];
} mw_hip_properties;

typedef struct mw_driver {
  int device_type;  /* kDLCUDA or kDLROCM */
  const char *name; /* "CUDA", "HIP" */
  void *library;
  /* NOLINTBEGIN(bugprone-macro-parentheses): declarations take none */
#define MW_MEMBER(MEMBER, CUDA, HIP, PARAMETERS) int(*MEMBER) PARAMETERS;
  MW_COMMON_FUNCTIONS(MW_MEMBER)
#undef MW_MEMBER
#define MW_MEMBER(MEMBER, NAME, PARAMETERS) int(*MEMBER) PARAMETERS;
  MW_CUDA_FUNCTIONS(MW_MEMBER) /* NULL of HIP, and the other way round */
  MW_HIP_FUNCTIONS(MW_MEMBER)
#undef MW_MEMBER
  /* NOLINTEND(bugprone-macro-parentheses) */
  const char *(*hip_get_error_name)(int error);
} mw_driver;

/* A device that has been used. */
typedef struct mw_device {
  const mw_driver *driver;
  int ordinal;
  int architecture; /* CUDA: as mixwright_image.architecture */
  char chip[32];    /* "sm_90", "gfx942" */
  void *context;    /* CUDA: the primary one */
} mw_device;

/* Loads the driver that a device needs, once, and looks at the device. */
mixwright_status mw_get_device(DLDevice which, const mw_device **device);

/* Makes a device the current one of this thread until `mw_leave_device`, which takes what
 * `mw_enter_device` left in `*before`. */
mixwright_status mw_enter_device(const mw_device *device, int *before);
void mw_leave_device(const mw_device *device, int before);

/* Fails with the driver's name of an error: "CUDA device 0 <what>: <name>". */
mixwright_status mw_fail_driver(const mw_device *device, int error, const char *what);

#ifdef __cplusplus
}
#endif

#endif /* MIXWRIGHT_RUNTIME_GPU_DRIVER_H */
