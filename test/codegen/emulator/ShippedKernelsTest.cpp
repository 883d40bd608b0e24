//===- ShippedKernelsTest.cpp - Mistakes in kernels that we generate --------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The emulator has to find what could go wrong in Mixwright's own kernels: barriers, fences,
// copies, waits and stores of them are taken out in turn, shuffles and products are changed.
//
//===----------------------------------------------------------------------===//

#include "tools/driver/Compare.h"
#include "tools/driver/Draw.h"
#include "tools/driver/Emulate.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"
#include <set>

using namespace mix;
using namespace mix::driver;
using llvm::Instruction;

namespace {

constexpr const char *kDeltaRule = R"(
mixer delta_rule(q: [T, K], k: [T, K], v: [T, V], g: [T], beta: [T], scale = K^-0.5) -> (o: [T, V]) {
  state S: [K, V] = 0
  for t in T {
    S = exp(g[t]) * S
    S = S + beta[t] * k[t] * (v[t] - dot(k[t], S))
    o[t] = scale * dot(q[t], S)
  }
}
)";

constexpr const char *kAttention = R"(
mixer attention(q: [T, K], k: [T, K], v: [T, V], scale = K^-0.5) -> (o: [T, V]) {
  for i in T {
    let p[j in T where j <= i] = softmax[j](scale * dot(q[i], k[j]))
    o[i] = sum[j](p[j] * v[j])
  }
}
)";

/// A mistake that can be made in one place: whether an instruction is such a place, what
/// becomes of it, and what shows it.
struct Mistake {
  const char *name;
  bool (*isPlace)(Instruction &);
  void (*make)(Instruction &);
  const char *shownBy; ///< "wrong numbers", or a finding of the emulator; empty: any of these
  /// The least share of places where it shows. Some do no harm: barriers do not know that threads
  /// met only what is their own, two of the three products that make one of float32 correct low
  /// bits, and rows that are not aligned are copied by instructions of their own.
  double leastShare;
  bool isOnNvidia, isOnAmd;
};

llvm::StringRef getCallee(Instruction &instruction) {
  auto *call = llvm::dyn_cast<llvm::CallInst>(&instruction);
  return call && call->getCalledFunction() ? call->getCalledFunction()->getName() : "";
}

bool isBarrier(Instruction &i) {
  llvm::StringRef name = getCallee(i);
  return name.starts_with("llvm.nvvm.barrier.cta") || name == "llvm.amdgcn.s.barrier";
}
bool isFence(Instruction &i) { return llvm::isa<llvm::FenceInst>(i); }
bool isCopy(Instruction &i) { return getCallee(i).starts_with("llvm.nvvm.cp.async.cg."); }
bool isWaitForCopies(Instruction &i) { return getCallee(i).starts_with("llvm.nvvm.cp.async.wait"); }
bool isSharedStore(Instruction &i) {
  auto *store = llvm::dyn_cast<llvm::StoreInst>(&i);
  return store && store->getPointerAddressSpace() == 3;
}
bool isShuffle(Instruction &i) {
  llvm::StringRef name = getCallee(i);
  return name.starts_with("llvm.nvvm.shfl.sync.") || name == "llvm.amdgcn.ds.bpermute";
}
bool isProduct(Instruction &i) {
  llvm::StringRef name = getCallee(i);
  return name.starts_with("llvm.nvvm.mma.") || name.starts_with("llvm.amdgcn.mfma.");
}

void remove(Instruction &i) { i.eraseFromParent(); }

/// NVIDIA: the distance is the third operand. AMD: the first is the lane, in bytes.
void changeLane(Instruction &i) {
  bool isNvidia = getCallee(i).starts_with("llvm.nvvm.");
  unsigned operand = isNvidia ? 2 : 0;
  llvm::IRBuilder<> builder(&i);
  i.setOperand(operand, builder.CreateXor(i.getOperand(operand), isNvidia ? 3 : 3 * 4));
}
void swapOperands(Instruction &i) {
  llvm::Value *first = i.getOperand(0);
  i.setOperand(0, i.getOperand(1));
  i.setOperand(1, first);
}

const Mistake kMistakes[] = {
    {"a barrier is missing", isBarrier, remove, "race", 0.75, true, true},
    {"a fence is missing", isFence, remove, "race", 0.75, false, true},
    {"a copy is missing", isCopy, remove, "uninitialised read", 0.75, true, false},
    {"a wait for copies is missing", isWaitForCopies, remove, "in flight", 1, true, false},
    {"a store is missing", isSharedStore, remove, "", 0.1, true, true},
    {"a shuffle asks another lane", isShuffle, changeLane, "wrong numbers", 1, true, true},
    {"operands are swapped", isProduct, swapOperands, "wrong numbers", 0.25, true, true},
};

std::vector<Instruction *> findPlaces(llvm::Module &module, const Mistake &mistake) {
  std::vector<Instruction *> places;
  for (llvm::Function &function : module)
    for (Instruction &instruction : llvm::instructions(function))
      if (mistake.isPlace(instruction))
        places.push_back(&instruction);
  return places;
}

/// One mixer at one size on one chip.
class Subject {
public:
  Subject(const char *text, const char *chip) {
    options.chip = chip;
    llvm::SmallString<64> path;
    EXPECT_FALSE(llvm::sys::fs::createTemporaryFile("subject", "mix", path));
    std::error_code error;
    llvm::raw_fd_ostream(path, error) << text;
    auto loaded = Spec::load(path, "", {});
    llvm::sys::fs::remove(path);
    EXPECT_TRUE(!!loaded);
    spec = std::move(*loaded);
    CallShape shape{MIXWRIGHT_BTHD, 1, 1, {{"T", 100}, {"K", 16}, {"V", 16}}, {}};
    DrawPlan plan;
    plan.inputs["g"] = plan.inputs["beta"] = {Distribution::Range, -0.5, 0};
    call = drawCall(spec->getSignature(), shape, plan, /*givesStates=*/true, 1);
    for (TensorMap *group : {&call.inputs, &call.states})
      for (auto &entry : *group)
        entry.second = entry.second.convertTo(ElementType::F32);
    Program definition = llvm::cantFail(spec->build(sizes));
    expected.exact = llvm::cantFail(
        evaluateCall(definition.getMixer(), spec->getSignature(), call, ElementType::F64));
    expected.type = ElementType::F32;
  }

  DeviceProgram compile() { return llvm::cantFail(compileForDevice(*spec, sizes, options)); }

  /// What shows that a program is wrong: the emulator's findings, or "wrong numbers"; empty
  /// if nothing does.
  std::string test(DeviceProgram program) {
    auto kernel = EmulatedKernel::load(std::move(program));
    if (!kernel)
      return llvm::toString(kernel.takeError());
    for (emu::Order order : {emu::Order::Forward, emu::Order::Reversed, emu::Order::Random}) {
      auto result = kernel->run(spec->getSignature(), call, {order, 1, false});
      if (!result)
        return llvm::toString(result.takeError());
      if (!compare(*result, expected).isGood())
        return "wrong numbers";
    }
    return "";
  }

private:
  SizeMap sizes = {{"K", 16}, {"V", 16}};
  KernelOptions options;
  std::unique_ptr<Spec> spec;
  Call call;
  Expectation expected;
};

/// Makes a mistake at up to four of its places in a mixer, from the first to the last; at how
/// many, and at how many it shows.
std::pair<int, int> makeMistake(const char *text, const char *chip, const Mistake &mistake) {
  Subject subject(text, chip);
  size_t count = findPlaces(*subject.compile().device.module, mistake).size();
  std::set<size_t> numbers;
  for (size_t third = 0; count > 0 && third <= 3; ++third)
    numbers.insert(third * (count - 1) / 3);
  int shown = 0;
  for (size_t number : numbers) {
    DeviceProgram program = subject.compile();
    mistake.make(*findPlaces(*program.device.module, mistake)[number]);
    std::string found = subject.test(std::move(program));
    shown += !found.empty() && llvm::StringRef(found).contains(mistake.shownBy);
  }
  return {static_cast<int>(numbers.size()), shown};
}

void testMistakes(const char *chip, bool Mistake::*isOnChip) {
  for (const char *text : {kDeltaRule, kAttention}) {
    Subject subject(text, chip);
    EXPECT_EQ(subject.test(subject.compile()), "") << "without a mistake";
  }
  for (const Mistake &mistake : kMistakes) {
    auto [made, shown] = makeMistake(kDeltaRule, chip, mistake);
    auto [madeInAttention, shownInAttention] = makeMistake(kAttention, chip, mistake);
    made += madeInAttention;
    shown += shownInAttention;
    EXPECT_EQ(made > 0, mistake.*isOnChip) << mistake.name;
    EXPECT_GE(shown, made * mistake.leastShare) << mistake.name << ", made " << made << " times";
  }
}

} // namespace

TEST(EmulatorShippedKernels, Nvidia) { testMistakes("sm_80", &Mistake::isOnNvidia); }
TEST(EmulatorShippedKernels, Amd) { testMistakes("gfx942", &Mistake::isOnAmd); }
