//===- RunKernel.h - A call of a compiled kernel ----------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TOOLS_DRIVER_RUNKERNEL_H
#define MIXWRIGHT_TOOLS_DRIVER_RUNKERNEL_H

#include "tools/driver/Call.h"
#include <list>

namespace mix::driver {

/// Owns a pool of threads; converts to what `mixwright_options` takes.
class ThreadPool {
public:
  /// 0: as many threads as the process may run on.
  static llvm::Expected<ThreadPool> create(int64_t threads);
  mixwright_pool *get() const { return pool.get(); }
  int getThreads() const { return mixwright_pool_threads(pool.get()); }

private:
  struct Destroy {
    void operator()(mixwright_pool *pool) const { mixwright_pool_destroy(pool); }
  };
  std::unique_ptr<mixwright_pool, Destroy> pool;
};

ElementType getElementType(mixwright_dtype dtype);
size_t getBytes(const DLTensor &tensor); ///< of one without gaps

/// The tensors of a call as the kernel takes them: converted to its element types,
/// with memory for outputs and final states. Can run many times; what a step form keeps
/// between calls is then updated by each.
class BoundKernel {
public:
  BoundKernel(const mixwright_kernel &kernel, const Signature &signature, const Call &call);

  /// Fills every output and final state with NaN (integers: the least number), so that
  /// what a kernel forgets to write shows.
  void poisonResults();
  llvm::Error run(const ThreadPool &pool);
  /// The tensors that a call of the runtime takes; null where a state is absent.
  llvm::ArrayRef<DLTensor *> getViews() const { return views; }
  /// What else such a call takes; points into this.
  mixwright_options getOptions() const;
  /// The most tokens that a sequence has, earlier ones too; 0 if calls do not go on.
  int64_t getMostTokens() const { return mostTokens; }
  llvm::Expected<size_t> getWorkspaceBytes();
  CallResult takeResults();

private:
  struct Binding {
    Tensor tensor; ///< in the order of axes that the kernel wants in memory
    /// What `tensor` is in the declared order of axes, and the way back.
    llvm::SmallVector<int64_t, 6> order, declared;
    llvm::SmallVector<int64_t, 6> shape, strides;
    DLTensor view;
    bool isResult = false, isAbsent = false;
    bool isInPlace = false; ///< a result that is given too
  };
  /// A vector or matrix of integers that the options point to.
  struct Table {
    std::string cache;
    Tensor tensor;
    llvm::SmallVector<int64_t, 2> shape;
    DLTensor view;
  };
  /// The cu_seqlens of one token axis.
  struct Offsets {
    std::vector<int64_t> starts;
    int64_t count;
    DLTensor view;
  };
  void packSegments(const CallShape &shape);
  void bindTables(const Call &call);
  static void arrange(const mixwright_arg &arg, Binding &binding);
  static Binding bind(const mixwright_arg &arg, const Signature &signature, const Call &call);

  const mixwright_kernel &kernel;
  mixwright_layout layout;
  int64_t mostTokens = 0;
  std::vector<Offsets> offsets;  ///< of a packed call; never grows once made, like
  std::vector<Binding> bindings; ///< this: views point into both
  std::list<Table> tables;
  std::vector<mixwright_packing> packings;
  std::vector<mixwright_block_table> blockTables;
  std::vector<DLTensor *> views;
};

/// Runs a call once, with results that start as NaN.
llvm::Expected<CallResult> runOnCpu(const mixwright_kernel &kernel, const Signature &signature,
                                    const Call &call, const ThreadPool &pool);

} // namespace mix::driver

#endif // MIXWRIGHT_TOOLS_DRIVER_RUNKERNEL_H
