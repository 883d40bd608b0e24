//===- mix-oracle-test.cpp - Examples against their oracles -----------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Builds every example that has an oracle, runs a pass pipeline on it, evaluates what
// comes out on random inputs and compares with the oracle: at all lengths, from the
// spec's initial states and from random ones, and with the tokens cut in two.
//
//===----------------------------------------------------------------------===//

#include "Oracle.h"
#include "dialect/Evaluate.h"
#include "dialect/EvaluateTile.h"
#include "dialect/Mix.h"
#include "dialect/Tile.h"
#include "frontends/mix/Frontend.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "passes/Passes.h"
#include "passes/Pipelines.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include <cmath>
#include <set>

using namespace mlir;
using llvm::Error;
using llvm::Expected;
using mix::Array;
using mix::Evaluation;
namespace cl = llvm::cl;

static cl::opt<std::string> folder(cl::Positional, cl::desc("EXAMPLES"), cl::Required);
static cl::list<std::string> only("only", cl::desc("Test these mixers"), cl::CommaSeparated);
static cl::list<std::string> except("except", cl::desc("Do not test these mixers"),
                                    cl::CommaSeparated);
static cl::list<int64_t> lengths("lengths", cl::desc("Numbers of tokens"), cl::CommaSeparated);
static cl::opt<std::string> pipeline("pipeline", cl::desc("Passes to run on the module"));
static cl::opt<bool> bindsFeatures("static", cl::desc("Build with static feature sizes"));
static cl::opt<bool> expectsTiles("tiles", cl::desc("Fail if a mixer is not a tile program"));
static cl::opt<bool> roundsToFloat("round",
                                   cl::desc("Round the values of tile programs to their types"));
static cl::opt<double> tolerance("tolerance", cl::desc("The largest accepted relative error"),
                                 cl::init(1e-10));
static cl::opt<uint64_t> seed("seed", cl::desc("Seed of the random inputs"), cl::init(1));

/// Odd sizes of the feature axes, none a multiple of a vector or of another.
static const std::map<std::string, int64_t> kFeatures = {{"K", 7}, {"V", 5}, {"D", 5}, {"N", 3},
                                                         {"E", 6}, {"M", 4}, {"P", 5}};

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

static OwningOpRef<ModuleOp> build(MLIRContext &context, const oracle::Mixer &mixer, StringRef file,
                                   StringRef text) {
  mix::frontend::BuildOptions options;
  for (const auto &[name, value] : mixer.settings)
    options.settings[name] = value;
  if (bindsFeatures)
    for (const oracle::Argument &input : mixer.inputs)
      for (const std::string &axis : input.axes)
        if (auto it = kFeatures.find(axis); it != kFeatures.end() && !mixer.sizes.count(axis))
          options.sizes[axis] = it->second;
  mix::frontend::Diagnostics diagnostics(llvm::errs());
  OwningOpRef<ModuleOp> module =
      mix::frontend::buildModule(context, file, text, options, diagnostics);
  if (!module || pipeline.empty())
    return module;
  PassManager passes(&context);
  if (failed(parsePassPipeline(pipeline, passes)) || failed(passes.run(*module)))
    return nullptr;
  return module;
}

static Expected<Evaluation> evaluate(ModuleOp module, StringRef mixer,
                                     const llvm::StringMap<Array> &inputs,
                                     const llvm::StringMap<Array> &states) {
  for (auto function : module.getOps<func::FuncOp>())
    if (function->hasAttr(mix::kMixerAttr))
      return expectsTiles ? llvm::createStringError("there is no tile program")
                          : mix::evaluate(function, inputs, states);
  return mix::evaluateTiles(mix::getPhases(module, mixer), inputs, states,
                            roundsToFloat ? mix::TileRounding::Typed : mix::TileRounding::Exact);
}

//===----------------------------------------------------------------------===//
// Arrays
//===----------------------------------------------------------------------===//

static Array toArray(const oracle::Argument &argument, const oracle::Tensor &tensor) {
  Array array;
  array.axes.append(argument.axes.begin(), argument.axes.end());
  array.shape.append(tensor.shape.begin(), tensor.shape.end());
  array.data = tensor.data;
  return array;
}

static llvm::StringMap<Array> toArrays(const std::vector<oracle::Argument> &arguments,
                                       const std::map<std::string, oracle::Tensor> &tensors) {
  llvm::StringMap<Array> arrays;
  for (const oracle::Argument &argument : arguments)
    arrays[argument.name] = toArray(argument, tensors.at(argument.name));
  return arrays;
}

/// The tokens `begin` .. `end` of arrays whose first axis is T; others as they are.
static llvm::StringMap<Array> slice(const llvm::StringMap<Array> &arrays, int64_t begin,
                                    int64_t end) {
  llvm::StringMap<Array> result;
  for (const auto &entry : arrays) {
    Array array = entry.getValue();
    if (!array.axes.empty() && array.axes[0] == "T") {
      int64_t row = array.shape[0] == 0 ? 0 : array.data.size() / array.shape[0];
      array.data =
          std::vector<double>(array.data.begin() + begin * row, array.data.begin() + end * row);
      array.shape[0] = end - begin;
    }
    result[entry.getKey()] = std::move(array);
  }
  return result;
}

/// Appends the rows of `second` to `first`.
static void append(llvm::StringMap<Array> &first, const llvm::StringMap<Array> &second) {
  for (const auto &entry : second) {
    Array &array = first[entry.getKey()];
    array.shape[0] += entry.getValue().shape[0];
    llvm::append_range(array.data, entry.getValue().data);
  }
}

static double largestError(const llvm::StringMap<Array> &actual,
                           const llvm::StringMap<Array> &expected) {
  if (actual.size() != expected.size())
    return INFINITY;
  double error = 0.0;
  for (const auto &entry : expected) {
    auto it = actual.find(entry.getKey());
    error = std::max(error, it == actual.end() ? INFINITY
                                               : mix::relativeError(it->second, entry.getValue()));
  }
  return error;
}

//===----------------------------------------------------------------------===//
// Tests
//===----------------------------------------------------------------------===//

namespace {

/// One comparison: a length, whether initial states are given, and after how many
/// tokens the sequence is cut (0: not).
struct Problem {
  int64_t tokens;
  bool givesStates;
  int64_t cut;
};

} // namespace

static std::vector<Problem> getProblems(const oracle::Mixer &mixer) {
  std::vector<Problem> problems;
  bool hasStates = !mixer.states.empty();
  for (int64_t tokens : lengths) {
    problems.push_back({tokens, false, 0});
    if (hasStates)
      problems.push_back({tokens, true, 0});
    if (hasStates && mixer.canBeCut && tokens >= 2)
      for (int64_t cut : std::set<int64_t>{1, tokens / 3, tokens - 1})
        if (cut > 0)
          problems.push_back({tokens, true, cut});
  }
  return problems;
}

/// Runs the program on the whole sequence, or on its two parts one after the other.
static Expected<Evaluation> runProgram(ModuleOp module, const oracle::Mixer &mixer,
                                       const Problem &problem, const oracle::Call &call) {
  llvm::StringMap<Array> inputs = toArrays(mixer.inputs, call.inputs), states;
  if (problem.givesStates)
    states = toArrays(mixer.states, call.states);
  if (problem.cut == 0)
    return evaluate(module, mixer.name, inputs, states);
  Expected<Evaluation> first = evaluate(module, mixer.name, slice(inputs, 0, problem.cut), states);
  if (!first)
    return first.takeError();
  Expected<Evaluation> second =
      evaluate(module, mixer.name, slice(inputs, problem.cut, problem.tokens), first->states);
  if (!second)
    return second.takeError();
  append(first->outputs, second->outputs);
  return Evaluation{first->outputs, second->states};
}

/// The relative error of one problem.
static Expected<double> runProblem(ModuleOp module, const oracle::Mixer &mixer,
                                   const Problem &problem) {
  std::map<std::string, int64_t> sizes = kFeatures;
  sizes["T"] = problem.tokens;
  sizes["L"] = problem.tokens + 1; // positions of a table
  oracle::Call call = oracle::draw(mixer, sizes, problem.givesStates, seed);
  Expected<Evaluation> actual = runProgram(module, mixer, problem, call);
  if (!actual)
    return actual.takeError();
  mixer.run(call);
  return std::max(largestError(actual->outputs, toArrays(mixer.outputs, call.outputs)),
                  largestError(actual->states, toArrays(mixer.states, call.states)));
}

/// Tests one mixer; yields whether all problems passed.
static bool runMixer(MLIRContext &context, const oracle::Mixer &mixer, StringRef file,
                     StringRef text) {
  llvm::outs() << mixer.name << ": ";
  OwningOpRef<ModuleOp> module = build(context, mixer, file, text);
  if (!module) {
    llvm::outs() << "FAILED to build\n";
    return false;
  }
  double largest = 0.0;
  std::vector<Problem> problems = getProblems(mixer);
  for (const Problem &problem : problems) {
    Expected<double> error = runProblem(*module, mixer, problem);
    if (error && *error <= tolerance) {
      largest = std::max(largest, *error);
      continue;
    }
    llvm::outs() << "FAILED at T=" << problem.tokens
                 << (problem.givesStates ? " with initial states" : "");
    if (problem.cut > 0)
      llvm::outs() << ", cut after " << problem.cut;
    if (error)
      llvm::outs() << ": error " << llvm::format("%.1e", *error) << '\n';
    else
      llvm::outs() << ": " << toString(error.takeError()) << '\n';
    return false;
  }
  llvm::outs() << problems.size() << " problems, largest error " << llvm::format("%.1e", largest)
               << '\n';
  return true;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  registerAllPasses();
  mix::registerMixPasses();
  mix::registerMixPipelines();
  cl::ParseCommandLineOptions(argc, argv,
                              "Compares the examples of a folder with their oracles.\n");
  if (lengths.empty())
    for (int64_t length : {0, 1, 2, 63, 64, 65, 257})
      lengths.push_back(length);
  DialectRegistry registry;
  registerAllDialects(registry);
  registry.insert<mix::MixDialect, mix::tile::TileDialect>();
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);

  OpPassManager parsed(ModuleOp::getOperationName());
  if (mlir::failed(parsePassPipeline(pipeline, parsed)))
    return 2;
  unsigned passed = 0, failed = 0;
  for (const oracle::Mixer &mixer : oracle::mixers()) {
    if ((!only.empty() && !llvm::is_contained(only, mixer.name)) ||
        llvm::is_contained(except, mixer.name))
      continue;
    SmallString<128> file(folder);
    llvm::sys::path::append(file, Twine(mixer.name) + ".mix");
    auto buffer = llvm::MemoryBuffer::getFile(file, /*IsText=*/true);
    if (!buffer) {
      llvm::outs() << mixer.name << ": FAILED, there is no " << file << '\n';
      ++failed;
      continue;
    }
    ++(runMixer(context, mixer, file, (*buffer)->getBuffer()) ? passed : failed);
  }
  llvm::outs() << passed << " passed, " << failed << " failed\n";
  return failed == 0 && passed > 0 ? 0 : 1;
}
