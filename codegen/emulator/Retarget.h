//===- Retarget.h - From a GPU's LLVM IR to the host's ----------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_EMULATOR_RETARGET_H
#define MIXWRIGHT_CODEGEN_EMULATOR_RETARGET_H

#include "codegen/emulator/Emulator.h"
#include "codegen/emulator/Machine.h"
#include <deque>

namespace llvm {
class DataLayout;
class LLVMContext;
class Triple;
} // namespace llvm

namespace mix::emu {

// What the host module calls. `site` is a Site; pointers are passed as integers.
/// void (const Site *, const void *arguments, void *results)
inline constexpr char kOperationHook[] = "mixwright_emulator_operation";
/// void (const Site *, ptr address, i64 bytes, i32 alignment, i32 Block::Access)
inline constexpr char kAccessHook[] = "mixwright_emulator_access";
/// void (const Site *): the program says that control never comes here.
inline constexpr char kTrapHook[] = "mixwright_emulator_trap";

struct HostKernel {
  std::string name;
  std::string entry; ///< Symbol of void (const char *parameters).
  std::vector<Parameter> parameters;
  std::vector<SharedMemory::Extent> sharedExtents; ///< Of fixed size.
  uintptr_t dynamicShared = 0;                     ///< Where it starts; 0: there is none.
};

/// A variable of the module outside of shared memory.
struct HostData {
  std::string symbol;
  size_t bytes;
  bool isWritable;
};

/// A module for the host, and what the emulator has to know about it.
struct HostModule {
  HostModule();
  HostModule(HostModule &&);
  ~HostModule();

  std::unique_ptr<llvm::LLVMContext> context;
  std::unique_ptr<llvm::Module> module;
  Vendor vendor;
  uint32_t warpSize;
  uint32_t granule;       ///< Bytes per record of shared memory.
  std::deque<Site> sites; ///< The module holds their addresses.
  std::vector<HostKernel> kernels;
  std::vector<HostData> data;
};

/// Makes a copy of `module` for the host. Pointers of all address spaces are pointers of
/// the host (whose back ends treat the low address spaces alike); variables in shared memory
/// become fixed addresses of SharedWindow; operations become calls of kOperationHook; an
/// access to memory that is not the thread's own is announced to kAccessHook.
llvm::Expected<HostModule> retarget(const llvm::Module &module, llvm::StringRef chip,
                                    const llvm::Triple &host, const llvm::DataLayout &layout);

} // namespace mix::emu

#endif // MIXWRIGHT_CODEGEN_EMULATOR_RETARGET_H
