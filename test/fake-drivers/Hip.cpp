//===- Hip.cpp - libamdhip64.so of the emulator -----------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The functions of hip/hip_runtime_api.h that the runtime and mixc use, with handles and
// addresses as pointers.
//
//===----------------------------------------------------------------------===//

#include "Driver.h"

using namespace mix::fake;

static Driver &getDriver() {
  static Driver driver("gfx942", 64 << 10);
  return driver;
}

static thread_local int current = 0;

static bool isDevice(int device) { return device >= 0 && device < getDriver().countDevices(); }

extern "C" {

int hipInit(unsigned) {
  return getDriver().call(__func__,
                          [] { return getDriver().countDevices() > 0 ? Success : NoDevice; });
}

int hipGetDeviceCount(int *count) {
  return getDriver().call(__func__, [&] {
    *count = getDriver().countDevices();
    return Success;
  });
}

int hipGetDevice(int *ordinal) {
  return getDriver().call(__func__, [&] {
    *ordinal = current;
    return Success;
  });
}

int hipSetDevice(int ordinal) {
  return getDriver().call(__func__, [&] {
    if (!isDevice(ordinal))
      return InvalidDevice;
    current = ordinal;
    return Success;
  });
}

int hipGetDevicePropertiesR0600(void *properties, int ordinal) {
  return getDriver().call(__func__, [&] {
    constexpr size_t chipName = 1160; // gcnArchName of hipDeviceProp_tR0600
    if (!isDevice(ordinal))
      return InvalidDevice;
    std::strcpy(static_cast<char *>(properties) + chipName,
                (getDriver().getChip() + ":sramecc+:xnack-").c_str());
    return Success;
  });
}

int hipModuleLoadData(void **module, const void *image) {
  return getDriver().call(__func__, [&] {
    return getDriver().load(current, static_cast<const char *>(image),
                            reinterpret_cast<Module *&>(*module));
  });
}

int hipModuleUnload(void *module) {
  return getDriver().call(__func__, [&] {
    Result result = getDriver().waitForAll();
    delete static_cast<Module *>(module);
    return result;
  });
}

int hipModuleGetFunction(void **function, void *module, const char *name) {
  return getDriver().call(__func__, [&] {
    return getDriver().getFunction(*static_cast<Module *>(module), name,
                                   reinterpret_cast<Function *&>(*function));
  });
}

int hipModuleLaunchKernel(void *function, unsigned gridX, unsigned gridY, unsigned gridZ,
                          unsigned blockX, unsigned blockY, unsigned blockZ, unsigned sharedBytes,
                          void *stream, void **parameters, void **) {
  return getDriver().call(__func__, [&] {
    if (gridY != 1 || gridZ != 1 || blockY != 1 || blockZ != 1)
      return InvalidValue;
    return getDriver().launch(current, *static_cast<Function *>(function), gridX, blockX,
                              sharedBytes, stream, parameters);
  });
}

int hipMalloc(void **address, size_t bytes) {
  return getDriver().call(__func__, [&] { return getDriver().allocate(current, bytes, *address); });
}

int hipFree(void *address) {
  return getDriver().call(__func__, [&] { return getDriver().release(address); });
}

int hipMemcpyHtoD(void *to, const void *from, size_t bytes) {
  return getDriver().call(__func__, [&] { return getDriver().copy(to, from, bytes, to); });
}

int hipMemcpyDtoH(void *to, void *from, size_t bytes) {
  return getDriver().call(__func__, [&] { return getDriver().copy(to, from, bytes, from); });
}

int hipStreamCreateWithFlags(void **stream, unsigned) {
  return getDriver().call(__func__, [&] {
    *stream = new int(current);
    return Success;
  });
}

int hipStreamDestroy(void *stream) {
  return getDriver().call(__func__, [&] {
    Result result = getDriver().wait(stream);
    delete static_cast<int *>(stream);
    return result;
  });
}

int hipStreamSynchronize(void *stream) {
  return getDriver().call(__func__, [&] { return getDriver().wait(stream); });
}

int hipEventCreateWithFlags(void **event, unsigned) {
  return getDriver().call(__func__, [&] {
    *event = new Event;
    return Success;
  });
}

int hipEventDestroy(void *event) {
  return getDriver().call(__func__, [&] {
    Result result = getDriver().waitForAll();
    delete static_cast<Event *>(event);
    return result;
  });
}

int hipEventRecord(void *event, void *stream) {
  return getDriver().call(__func__,
                          [&] { return getDriver().record(*static_cast<Event *>(event), stream); });
}

int hipEventElapsedTime(float *milliseconds, void *begin, void *end) {
  return getDriver().call(__func__, [&] {
    const Event &first = *static_cast<Event *>(begin), &last = *static_cast<Event *>(end);
    *milliseconds = static_cast<float>(last.milliseconds - first.milliseconds);
    return first.isRecorded && last.isRecorded ? Success : NotReady;
  });
}

const char *hipGetErrorName(int error) {
  return error == OutOfMemory     ? "hipErrorOutOfMemory"
         : error == InvalidImage  ? "hipErrorInvalidImage"
         : error == NoBinary      ? "hipErrorNoBinaryForGpu"
         : error == InvalidValue  ? "hipErrorInvalidValue"
         : error == InvalidHandle ? "hipErrorInvalidHandle"
         : error == NotFound      ? "hipErrorNotFound"
         : error == LaunchFailed  ? "hipErrorLaunchFailure"
                                  : "hipErrorUnknown";
}

} // extern "C"
