//===- Driver.h - A driver whose GPU is the emulator ------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the fake libcuda.so.1 and libamdhip64.so.7 have in common. They behave as their manuals
// say of the functions that the runtime uses, and are strict where real drivers forgive:
//
// * What is launched waits until somebody waits for it, so that a missing wait shows, and so does
//   one that nobody asked for. The default stream waits for all others, and they for it.
// * A kernel may touch the memory of its own device, and of no other.
// * What the emulator finds in a kernel is printed to stderr and is the error of the next wait,
//   and of all calls after it.
//
// Images are LLVM IR (mixc compile --target emu:sm_80). Environment variables, read at every call:
//
//   MIXWRIGHT_FAKE_CHIP     what the devices are: sm_90 or gfx942 by default
//   MIXWRIGHT_FAKE_DEVICES  how many there are: 2 by default
//   MIXWRIGHT_FAKE_FAULT    "cuLaunchKernel=701": what a function returns without doing anything
//   MIXWRIGHT_FAKE_LOG      a file that gets a line per call
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TEST_FAKEDRIVERS_DRIVER_H
#define MIXWRIGHT_TEST_FAKEDRIVERS_DRIVER_H

#include "codegen/emulator/Emulator.h"
#include "llvm/IR/LLVMContext.h"
#include <deque>
#include <functional>
#include <mutex>

namespace mix::fake {

/// Results that both drivers number alike.
enum Result {
  Success = 0,
  InvalidValue = 1,
  OutOfMemory = 2,
  NoDevice = 100,
  InvalidDevice = 101,
  InvalidImage = 200,
  InvalidContext = 201,
  NoBinary = 209,
  InvalidHandle = 400,
  NotFound = 500,
  NotReady = 600,
  LaunchFailed = 719
};

/// A loaded image, and the functions that were taken from it.
struct Module;
struct Function {
  Module *module;
  std::string name;
  uint32_t sharedBytes; ///< that a launch may ask for
};
struct Module {
  int device;
  std::unique_ptr<emu::Program> program;
  std::deque<Function> functions;
};

/// Work of a stream that nobody has waited for.
struct Work {
  const void *stream; ///< null: the default one
  std::function<Result()> run;
};

struct Event {
  bool isRecorded = false;
  double milliseconds = 0;
};

/// All of a driver. Its functions are called with a device that is the current one, -1 for none.
class Driver {
public:
  /// `defaultSharedBytes`: that a launch may ask for unless a function is allowed more.
  Driver(std::string defaultChip, uint32_t defaultSharedBytes)
      : defaultChip(std::move(defaultChip)), defaultSharedBytes(defaultSharedBytes) {}

  /// Logs a call and runs it, unless it is to fail or the device has.
  Result call(const char *function, llvm::function_ref<Result()> body);

  std::string getChip() const;
  int countDevices() const;

  Result load(int device, const char *image, Module *&module);
  Result getFunction(Module &module, const char *name, Function *&function);
  Result launch(int device, Function &function, unsigned blocks, unsigned threads,
                unsigned sharedBytes, const void *stream, void **parameters);
  Result wait(const void *stream);
  Result waitForAll();
  Result record(Event &event, const void *stream);
  Result allocate(int device, size_t bytes, void *&address);
  Result release(void *address);
  Result copy(void *to, const void *from, size_t bytes, const void *onDevice);

private:
  Result runWork(const std::function<bool(const Work &)> &isWanted);
  Result runKernel(const Function &function, const emu::LaunchConfig &config, int device);

  std::string defaultChip;
  uint32_t defaultSharedBytes;
  std::recursive_mutex mutex;
  llvm::LLVMContext context;
  std::deque<Work> queue;
  std::map<int, emu::GlobalMemory> memories; ///< by device
  std::map<void *, int> allocations;         ///< the device of each
  Result failure = Success;                  ///< that of a kernel
};

} // namespace mix::fake

#endif // MIXWRIGHT_TEST_FAKEDRIVERS_DRIVER_H
