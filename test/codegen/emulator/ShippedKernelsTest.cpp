//===- ShippedKernelsTest.cpp - Mistakes in kernels that we generate --------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The emulator has to find what could go wrong in Mixwright's own kernels: every barrier,
// fence and store of them is taken out in turn, and shuffles and matrix operands are changed.
//
//===----------------------------------------------------------------------===//

#include "tools/driver/Compare.h"
#include "tools/driver/Draw.h"
#include "tools/driver/Emulate.h"
#include "llvm/IR/Constants.h"
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

/// A mistake that can be made in one place: whether an instruction is such a place, and
/// what becomes of it.
struct Mistake {
  const char *name;
  bool (*isPlace)(Instruction &);
  void (*make)(Instruction &);
  /// Whether it shows wherever it is made. Other mistakes may do no harm at some places: a
  /// product on tf32 is three, two of which correct low bits.
  bool showsEverywhere;
};

llvm::StringRef getCallee(Instruction &instruction) {
  auto *call = llvm::dyn_cast<llvm::CallInst>(&instruction);
  return call && call->getCalledFunction() ? call->getCalledFunction()->getName() : "";
}

bool isSharedStore(Instruction &instruction) {
  auto *store = llvm::dyn_cast<llvm::StoreInst>(&instruction);
  return store && store->getPointerAddressSpace() == 3;
}

void remove(Instruction &instruction) { instruction.eraseFromParent(); }

/// The first operands of a shuffle with a distance, and of a product.
void changeDistance(Instruction &instruction) {
  auto &distance = *llvm::cast<llvm::ConstantInt>(instruction.getOperand(2));
  instruction.setOperand(2, llvm::ConstantInt::get(distance.getType(), distance.getValue() ^ 3));
}
void swapOperands(Instruction &instruction) {
  llvm::Value *first = instruction.getOperand(0);
  instruction.setOperand(0, instruction.getOperand(1));
  instruction.setOperand(1, first);
}

const Mistake kMistakes[] = {
    {"a barrier is missing",
     [](Instruction &i) {
       llvm::StringRef name = getCallee(i);
       return name.starts_with("llvm.nvvm.barrier.cta") || name == "llvm.amdgcn.s.barrier";
     },
     remove, true},
    {"a fence is missing", [](Instruction &i) { return llvm::isa<llvm::FenceInst>(i); }, remove,
     true},
    {"an order within a warp is missing",
     [](Instruction &i) { return getCallee(i) == "llvm.nvvm.bar.warp.sync"; }, remove, true},
    {"a store to shared memory is missing", isSharedStore, remove, false},
    {"a shuffle has another distance",
     [](Instruction &i) {
       return getCallee(i).starts_with("llvm.nvvm.shfl.sync.") &&
              llvm::isa<llvm::ConstantInt>(i.getOperand(2));
     },
     changeDistance, false},
    {"operands of a product are swapped",
     [](Instruction &i) {
       llvm::StringRef name = getCallee(i);
       return name.starts_with("llvm.nvvm.mma.") || name.starts_with("llvm.amdgcn.mfma.");
     },
     swapOperands, false},
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
    CallShape shape{MIXWRIGHT_BTHD, 1, 1, {{"T", 150}, {"K", 16}, {"V", 16}}, {}};
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

/// Makes each mistake at up to three of its places (the first, a middle one, the last).
void testMistakes(const char *text, const char *chip) {
  Subject subject(text, chip);
  EXPECT_EQ(subject.test(subject.compile()), "") << chip;
  for (const Mistake &mistake : kMistakes) {
    size_t count = findPlaces(*subject.compile().device.module, mistake).size();
    std::set<size_t> numbers;
    if (count)
      numbers = {0, count / 2, count - 1};
    size_t caught = 0;
    for (size_t number : numbers) {
      DeviceProgram program = subject.compile();
      mistake.make(*findPlaces(*program.device.module, mistake)[number]);
      bool isCaught = !subject.test(std::move(program)).empty();
      EXPECT_TRUE(isCaught || !mistake.showsEverywhere)
          << chip << ": " << mistake.name << ", place " << number << " of " << count;
      caught += isCaught;
    }
    EXPECT_TRUE(numbers.empty() || caught > 0) << chip << ": " << mistake.name;
  }
}

} // namespace

TEST(EmulatorShippedKernels, DeltaRuleNvidia) { testMistakes(kDeltaRule, "sm_80"); }
TEST(EmulatorShippedKernels, DeltaRuleAmd) { testMistakes(kDeltaRule, "gfx942"); }
TEST(EmulatorShippedKernels, AttentionNvidia) { testMistakes(kAttention, "sm_80"); }
TEST(EmulatorShippedKernels, AttentionAmd) { testMistakes(kAttention, "gfx942"); }
