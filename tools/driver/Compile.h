//===- Compile.h - From a spec to a kernel ----------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TOOLS_DRIVER_COMPILE_H
#define MIXWRIGHT_TOOLS_DRIVER_COMPILE_H

#include "codegen/cpu/Jit.h"
#include "mlir/Support/Timing.h"
#include "tools/driver/Spec.h"

namespace mix::driver {

/// The ways in which a mixer can run. The reference is the evaluator.
enum class Form { Chunked, Recurrent, Step, Prefill, Reference };

/// "chunked", "recurrent", "step", "prefill", "reference".
llvm::StringRef getFormName(Form form);

/// Whether calls of the form go on where others ended: they have a position, states in place
/// and caches.
inline bool goesOn(Form form) { return form == Form::Step || form == Form::Prefill; }

/// How phases are cut into tiles; 0 leaves the choice to the compiler.
struct TileSizes {
  int64_t chunk = 0, rows = 0, keys = 0;
  int64_t stateElements = 0; ///< The most of a task; 0: any number.
};

struct KernelOptions {
  Form form = Form::Chunked; ///< not Reference
  TensorTypes types;
  std::string chip = "native";         ///< of a CPU, or a GPU
  mlir::TimingScope *timing = nullptr; ///< if given, gets one timer per stage
  TileSizes tiles = {};
  bool isEmulated = false; ///< a GPU's kernel is for a driver of the emulator
};

/// A mixer that has no program of the form that was asked for, and why.
class NotDerivedError : public llvm::ErrorInfo<NotDerivedError> {
public:
  static char ID;
  explicit NotDerivedError(std::string reason) : reason(std::move(reason)) {}
  void log(llvm::raw_ostream &os) const override { os << reason; }
  std::error_code convertToErrorCode() const override { return llvm::inconvertibleErrorCode(); }

private:
  std::string reason;
};

/// A mixer at one of the lower levels, and what there is to say about it: which
/// recurrences run token by token, and why.
struct LoweredProgram {
  Program program;
  std::vector<std::string> notes;
};

/// Level L2.
llvm::Expected<LoweredProgram> normalize(Spec &spec, const SizeMap &sizes);

/// Level L3. Error: NotDerivedError.
llvm::Expected<LoweredProgram> tile(Spec &spec, const SizeMap &sizes, const KernelOptions &options);

/// A kernel in this process.
class CompiledKernel {
public:
  const mixwright_kernel &get() const { return *kernel; }
  llvm::ArrayRef<std::string> getNotes() const { return notes; }

private:
  friend llvm::Expected<CompiledKernel> compile(Spec &, const SizeMap &, const KernelOptions &);
  /// GPUs forget the kernels first.
  struct Unload {
    void operator()(cpu::LoadedObject *object) const;
  };
  std::unique_ptr<cpu::LoadedObject, Unload> object;
  const mixwright_kernel *kernel = nullptr;
  std::vector<std::string> notes;
};

/// Compiles for a CPU that this machine has or for any GPU, or takes the kernel from the cache on
/// disk. Every feature axis must have a size. Error: NotDerivedError, and those of code generation.
llvm::Expected<CompiledKernel> compile(Spec &spec, const SizeMap &sizes,
                                       const KernelOptions &options);

} // namespace mix::driver

#endif // MIXWRIGHT_TOOLS_DRIVER_COMPILE_H
