//===- Cuda.cpp - libcuda.so.1 of the emulator ------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The functions of cuda.h that the runtime and mixc use, with handles and addresses as
// pointers (runtime/gpu/driver.h says why that is the same). A context is the number of its
// device plus one.
//
//===----------------------------------------------------------------------===//

#include "Driver.h"

using namespace mix::fake;

static Driver &getDriver() {
  static Driver driver("sm_90", 48 << 10);
  return driver;
}

static thread_local std::vector<int> contexts; ///< devices; the current one last

static int getCurrent() { return contexts.empty() ? -1 : contexts.back(); }

/// Calls that need a context.
static Result callInContext(const char *name, llvm::function_ref<Result()> body) {
  return getDriver().call(name, [&] { return getCurrent() < 0 ? InvalidContext : body(); });
}

static bool isDevice(int device) { return device >= 0 && device < getDriver().countDevices(); }

extern "C" {

int cuInit(unsigned) {
  return getDriver().call(__func__,
                          [] { return getDriver().countDevices() > 0 ? Success : NoDevice; });
}

int cuDeviceGetCount(int *count) {
  return getDriver().call(__func__, [&] {
    *count = getDriver().countDevices();
    return Success;
  });
}

int cuDeviceGet(int *device, int ordinal) {
  return getDriver().call(__func__, [&] {
    *device = ordinal;
    return isDevice(ordinal) ? Success : InvalidDevice;
  });
}

int cuDeviceGetAttribute(int *value, int attribute, int device) {
  return getDriver().call(__func__, [&] {
    int architecture = 0;
    llvm::StringRef chip = llvm::StringRef(getDriver().getChip()).drop_front(3);
    if (!isDevice(device) || chip.getAsInteger(10, architecture))
      return InvalidDevice;
    constexpr int major = 75, minor = 76;
    if (attribute != major && attribute != minor)
      return InvalidValue;
    *value = attribute == major ? architecture / 10 : architecture % 10;
    return Success;
  });
}

int cuDevicePrimaryCtxRetain(void **context, int device) {
  return getDriver().call(__func__, [&] {
    *context = reinterpret_cast<void *>(static_cast<intptr_t>(device) + 1);
    return isDevice(device) ? Success : InvalidDevice;
  });
}

int cuCtxPushCurrent_v2(void *context) {
  return getDriver().call(__func__, [&] {
    contexts.push_back(static_cast<int>(reinterpret_cast<intptr_t>(context)) - 1);
    return isDevice(getCurrent()) ? Success : InvalidContext;
  });
}

int cuCtxPopCurrent_v2(void **context) {
  return callInContext(__func__, [&] {
    *context = reinterpret_cast<void *>(static_cast<intptr_t>(getCurrent()) + 1);
    contexts.pop_back();
    return Success;
  });
}

int cuModuleLoadData(void **module, const void *image) {
  return callInContext(__func__, [&] {
    return getDriver().load(getCurrent(), static_cast<const char *>(image),
                            reinterpret_cast<Module *&>(*module));
  });
}

int cuModuleUnload(void *module) {
  return callInContext(__func__, [&] {
    Result result = getDriver().waitForAll();
    delete static_cast<Module *>(module);
    return result;
  });
}

int cuModuleGetFunction(void **function, void *module, const char *name) {
  return callInContext(__func__, [&] {
    return getDriver().getFunction(*static_cast<Module *>(module), name,
                                   reinterpret_cast<Function *&>(*function));
  });
}

int cuFuncSetAttribute(void *function, int attribute, int value) {
  return callInContext(__func__, [&] {
    constexpr int maxDynamicSharedBytes = 8, most = 227 << 10;
    if (attribute != maxDynamicSharedBytes || value < 0 || value > most)
      return InvalidValue;
    static_cast<Function *>(function)->sharedBytes = value;
    return Success;
  });
}

int cuLaunchKernel(void *function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX,
                   unsigned blockY, unsigned blockZ, unsigned sharedBytes, void *stream,
                   void **parameters, void **) {
  return callInContext(__func__, [&] {
    if (gridY != 1 || gridZ != 1 || blockY != 1 || blockZ != 1)
      return InvalidValue;
    return getDriver().launch(getCurrent(), *static_cast<Function *>(function), gridX, blockX,
                              sharedBytes, stream, parameters);
  });
}

int cuMemAlloc_v2(void **address, size_t bytes) {
  return callInContext(__func__,
                       [&] { return getDriver().allocate(getCurrent(), bytes, *address); });
}

int cuMemFree_v2(void *address) {
  return callInContext(__func__, [&] { return getDriver().release(address); });
}

int cuMemcpyHtoD_v2(void *to, const void *from, size_t bytes) {
  return callInContext(__func__, [&] { return getDriver().copy(to, from, bytes, to); });
}

int cuMemcpyDtoH_v2(void *to, void *from, size_t bytes) {
  return callInContext(__func__, [&] { return getDriver().copy(to, from, bytes, from); });
}

int cuStreamCreate(void **stream, unsigned) {
  return callInContext(__func__, [&] {
    *stream = new int(getCurrent());
    return Success;
  });
}

int cuStreamDestroy_v2(void *stream) {
  return callInContext(__func__, [&] {
    Result result = getDriver().wait(stream);
    delete static_cast<int *>(stream);
    return result;
  });
}

int cuStreamSynchronize(void *stream) {
  return callInContext(__func__, [&] { return getDriver().wait(stream); });
}

int cuEventCreate(void **event, unsigned) {
  return callInContext(__func__, [&] {
    *event = new Event;
    return Success;
  });
}

int cuEventDestroy_v2(void *event) {
  return callInContext(__func__, [&] {
    Result result = getDriver().waitForAll();
    delete static_cast<Event *>(event);
    return result;
  });
}

int cuEventRecord(void *event, void *stream) {
  return callInContext(__func__,
                       [&] { return getDriver().record(*static_cast<Event *>(event), stream); });
}

int cuEventElapsedTime(float *milliseconds, void *begin, void *end) {
  return callInContext(__func__, [&] {
    const Event &first = *static_cast<Event *>(begin), &last = *static_cast<Event *>(end);
    *milliseconds = static_cast<float>(last.milliseconds - first.milliseconds);
    return first.isRecorded && last.isRecorded ? Success : NotReady;
  });
}

int cuGetErrorName(int error, const char **name) {
  *name = error == OutOfMemory     ? "CUDA_ERROR_OUT_OF_MEMORY"
          : error == InvalidImage  ? "CUDA_ERROR_INVALID_IMAGE"
          : error == NoBinary      ? "CUDA_ERROR_NO_BINARY_FOR_GPU"
          : error == InvalidValue  ? "CUDA_ERROR_INVALID_VALUE"
          : error == InvalidHandle ? "CUDA_ERROR_INVALID_HANDLE"
          : error == NotFound      ? "CUDA_ERROR_NOT_FOUND"
          : error == LaunchFailed  ? "CUDA_ERROR_LAUNCH_FAILED"
                                   : nullptr;
  return *name ? Success : InvalidValue;
}

} // extern "C"
