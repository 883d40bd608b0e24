//===- mix-evaluate.cpp - Evaluate mixers and compare their levels ----------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tests of passes use this tool: it evaluates every mixer of a file on random
// inputs, and the mixers of the same names of another file on the same inputs.
//
//===----------------------------------------------------------------------===//

#include "RunDevice.h"
#include "RunKernel.h"
#include "Steps.h"
#include "codegen/cpu/Target.h"
#include "codegen/gpu/Target.h"
#include "dialect/Evaluate.h"
#include "dialect/EvaluateTile.h"
#include "dialect/Mix.h"
#include "dialect/Tile.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/InitAllDialects.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/xxhash.h"
#include <cmath>
#include <random>

using namespace mlir;
using namespace mix;
using llvm::Error;
using llvm::Expected;
namespace cl = llvm::cl;

static cl::opt<std::string> inputFile(cl::Positional, cl::desc("FILE.mlir"), cl::Required);
static cl::opt<std::string> otherFile("against",
                                      cl::desc("Compare with the mixers of this file ('-': stdin)"),
                                      cl::value_desc("FILE.mlir"));
static cl::list<std::string> problems("size",
                                      cl::desc("Sizes of the axes of one problem; may be repeated"),
                                      cl::value_desc("T=65,K=8"));
static cl::list<std::string>
    ranges("range", cl::desc("Draw an input uniformly from a range, not from N(0, 1)"),
           cl::value_desc("NAME=LOW:HIGH"));
static cl::opt<uint64_t> seed("seed", cl::desc("Seed of the random inputs"), cl::init(1));
static cl::opt<double> tolerance("tolerance", cl::desc("The largest accepted relative error"),
                                 cl::init(1e-10));
static cl::opt<bool> roundsToFloat("round",
                                   cl::desc("Round the values of tile programs to their types"));
static cl::opt<std::string>
    cpuChip("cpu", cl::desc("Compile tile programs for this row of the chip table and run them"),
            cl::value_desc("native"));
static cl::opt<std::string>
    gpuChip("gpu", cl::desc("Compile tile programs for this GPU and run them on the emulator"),
            cl::value_desc("sm_80"));
static cl::opt<std::string>
    gpuSchedule("schedule",
                cl::desc("The order of threads on the emulator: forward, reversed, or a seed"),
                cl::init("forward"));
static cl::opt<int64_t>
    gpuRowGap("row-gap",
              cl::desc("Elements between rows of a GPU kernel's tensors; 4 keeps rows aligned"),
              cl::init(5));
static cl::opt<bool> printValues("print", cl::desc("Print the outputs and final states"));

namespace {

struct Bounds {
  double low, high;
};

/// A named tensor of a mixer.
struct Port {
  StringRef name;
  SmallVector<StringRef> axes;
  SmallVector<int64_t> sizes; // kDynamic where the call binds it
  bool isWhole;               // integers
};

/// What a mixer of any level takes: its inputs, and the states it may start from.
struct Signature {
  StringRef mixer;
  std::vector<Port> inputs, states;
};

/// One call of a mixer: sizes of axes by name, and whether to give initial states.
struct Problem {
  std::string text;
  llvm::StringMap<int64_t> sizes;
  bool givesStates;
};

} // namespace

//===----------------------------------------------------------------------===//
// Options
//===----------------------------------------------------------------------===//

static Expected<llvm::StringMap<int64_t>> parseSizes(StringRef text) {
  llvm::StringMap<int64_t> sizes;
  SmallVector<StringRef> parts;
  text.split(parts, ',', -1, /*KeepEmpty=*/false);
  for (StringRef part : parts) {
    auto [name, number] = part.split('=');
    int64_t size;
    if (name.empty() || number.getAsInteger(10, size) || size < 0)
      return llvm::createStringError("expected AXIS=SIZE in --size, got '" + part + "'");
    sizes[name] = size;
  }
  return sizes;
}

static Expected<llvm::StringMap<Bounds>> parseRanges() {
  llvm::StringMap<Bounds> result;
  for (StringRef text : ranges) {
    auto [name, bounds] = text.split('=');
    auto [low, high] = bounds.split(':');
    Bounds range;
    if (name.empty() || low.getAsDouble(range.low) || high.getAsDouble(range.high))
      return llvm::createStringError("expected NAME=LOW:HIGH in --range, got '" + text + "'");
    result[name] = range;
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Signatures
//===----------------------------------------------------------------------===//

static StringRef getText(DictionaryAttr attributes, StringRef name) {
  auto text = attributes ? attributes.getAs<StringAttr>(name) : StringAttr();
  return text ? text.getValue() : StringRef();
}

/// The signature of a mixer of level L1 or L2.
static Signature getSignature(func::FuncOp mixer) {
  Signature signature = {mixer.getSymName(), {}, {}};
  auto add = [](std::vector<Port> &ports, DictionaryAttr attributes, Type type) {
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      ports.push_back({getText(attributes, kNameAttr), getAxes(type),
                       llvm::to_vector(tensor.getShape()), tensor.getElementType().isInteger()});
  };
  for (auto [n, type] : llvm::enumerate(mixer.getArgumentTypes()))
    add(signature.inputs, mixer.getArgAttrDict(n), type);
  for (auto [n, type] : llvm::enumerate(mixer.getResultTypes()))
    if (getText(mixer.getResultAttrDict(n), kKindAttr) == "state")
      add(signature.states, mixer.getResultAttrDict(n), type);
  return signature;
}

/// The signature of a mixer of level L3, from its first phase.
static Signature getSignature(func::FuncOp phase, StringRef mixer) {
  Signature signature = {mixer, {}, {}};
  for (auto [n, type] : llvm::enumerate(phase.getArgumentTypes())) {
    auto memref = dyn_cast<MemRefType>(type);
    DictionaryAttr attributes = phase.getArgAttrDict(n);
    StringRef kind = getText(attributes, kKindAttr);
    bool isInput = kind == "input" || kind == "param", isState = kind == "state_in";
    if (!memref || !(isInput || isState))
      continue;
    Port port = {getText(attributes, kNameAttr),
                 {},
                 llvm::to_vector(memref.getShape()),
                 memref.getElementType().isInteger()};
    if (auto axes = attributes.getAs<ArrayAttr>("mix.axes"))
      port.axes = llvm::to_vector(axes.getAsValueRange<StringAttr>());
    (isState ? signature.states : signature.inputs).push_back(port);
  }
  return signature;
}

/// The mixers of a module, of any level, in order of appearance.
static std::vector<Signature> getSignatures(ModuleOp module) {
  std::vector<Signature> signatures;
  for (auto function : module.getOps<func::FuncOp>()) {
    auto phaseOf = function->getAttrOfType<StringAttr>("tile.mixer");
    bool isKnown = phaseOf && llvm::any_of(signatures, [&](const Signature &signature) {
                     return signature.mixer == phaseOf.getValue();
                   });
    if (function->hasAttr(kMixerAttr))
      signatures.push_back(getSignature(function));
    else if (phaseOf && !isKnown)
      signatures.push_back(getSignature(function, phaseOf.getValue()));
  }
  return signatures;
}

//===----------------------------------------------------------------------===//
// Inputs
//===----------------------------------------------------------------------===//

/// A random array for a port. The numbers depend on the seed and the name only, so
/// two programs that name their inputs alike get the same ones.
static Expected<Array> draw(const Port &port, const Problem &problem,
                            const llvm::StringMap<Bounds> &ranges) {
  Array array;
  int64_t count = 1;
  if (port.name.empty() || port.axes.size() != port.sizes.size())
    return llvm::createStringError("an argument or result has no name or no axes");
  for (auto [axis, declared] : llvm::zip(port.axes, port.sizes)) {
    auto given = problem.sizes.find(getSpace(axis));
    if (given == problem.sizes.end() && ShapedType::isDynamic(declared))
      return llvm::createStringError("the size of axis '" + axis + "' of '" + port.name +
                                     "' is not given (--size)");
    int64_t size = ShapedType::isDynamic(declared) ? given->second : declared;
    array.axes.push_back(axis.str());
    array.shape.push_back(size);
    count *= size;
  }
  std::mt19937_64 engine(seed ^ llvm::xxh3_64bits(port.name));
  std::normal_distribution<double> normal;
  auto range = ranges.find(port.name);
  Bounds bounds = range != ranges.end() ? range->second : Bounds{0.0, 4.0};
  std::uniform_real_distribution<double> uniform(bounds.low, bounds.high);
  for (int64_t n = 0; n < count; ++n) {
    double x = port.isWhole || range != ranges.end() ? uniform(engine) : normal(engine);
    array.data.push_back(port.isWhole ? std::floor(x) : x);
  }
  return array;
}

static Expected<llvm::StringMap<Array>> draw(ArrayRef<Port> ports, const Problem &problem,
                                             const llvm::StringMap<Bounds> &ranges) {
  llvm::StringMap<Array> arrays;
  for (const Port &port : ports) {
    Expected<Array> array = draw(port, problem, ranges);
    if (!array)
      return array.takeError();
    arrays[port.name] = std::move(*array);
  }
  return arrays;
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

static void print(StringRef name, const Array &array) {
  llvm::outs() << "  " << name << '[';
  for (auto [n, axis, size] : llvm::enumerate(array.axes, array.shape))
    llvm::outs() << (n == 0 ? "" : ",") << axis << '=' << size;
  llvm::outs() << "] =";
  for (double x : array.data)
    llvm::outs() << llvm::format(" %.10g", x);
  llvm::outs() << '\n';
}

static std::vector<std::string> sortedKeys(const llvm::StringMap<Array> &arrays) {
  std::vector<std::string> keys;
  for (const auto &entry : arrays)
    keys.push_back(entry.getKey().str());
  llvm::sort(keys);
  return keys;
}

/// The largest relative error of all arrays; infinite if their names differ.
static double relativeError(const llvm::StringMap<Array> &actual,
                            const llvm::StringMap<Array> &expected) {
  if (sortedKeys(actual) != sortedKeys(expected))
    return INFINITY;
  double error = 0.0;
  for (const auto &entry : expected)
    error = std::max(error, relativeError(actual.find(entry.getKey())->second, entry.getValue()));
  return error;
}

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

static OwningOpRef<ModuleOp> parse(StringRef file, MLIRContext &context) {
  return parseSourceFile<ModuleOp>(file, ParserConfig(&context));
}

/// Evaluates the program of `name` in the module: a function of levels L1 and L2, or
/// the phases of level L3.
static Expected<Evaluation> evaluateNamed(ModuleOp module, StringRef name,
                                          const llvm::StringMap<Array> &inputs,
                                          const llvm::StringMap<Array> &states) {
  for (auto function : module.getOps<func::FuncOp>())
    if (function->hasAttr(kMixerAttr) && function.getSymName() == name)
      return evaluate(function, inputs, states);
  SmallVector<func::FuncOp> phases = getPhases(module, name);
  if (phases.empty())
    return llvm::createStringError("there is no mixer '" + name + "'");
  return evaluateTiles(phases, inputs, states,
                       roundsToFloat ? TileRounding::Typed : TileRounding::Exact);
}

/// The same; a step form runs over the sequence in steps.
static Expected<Evaluation> evaluateOther(ModuleOp module, StringRef name,
                                          const llvm::StringMap<Array> &inputs,
                                          const llvm::StringMap<Array> &states) {
  KernelFn run = [&](const auto &given, const auto &kept) {
    return evaluateNamed(module, name, given, kept);
  };
  if (!gpuChip.empty())
    run = [&](const auto &given, const auto &kept) {
      return runOnEmulator(module, name, {gpuChip, gpuSchedule, gpuRowGap}, given, kept);
    };
  if (gpuChip.empty() && !cpuChip.empty()) {
    Expected<KernelFn> compiled = compileForCpu(module, name, cpuChip);
    if (!compiled)
      return compiled.takeError();
    run = std::move(*compiled);
  }
  std::optional<StepSignature> steps = getStepSignature(module, name);
  return steps ? evaluateInSteps(*steps, inputs, seed, run) : run(inputs, states);
}

/// Evaluates one mixer, and compares it with the other file. Yields whether the
/// comparison passed.
static Expected<bool> runProblem(ModuleOp module, ModuleOp other, const Signature &signature,
                                 const Problem &problem, const llvm::StringMap<Bounds> &ranges) {
  Expected<llvm::StringMap<Array>> inputs = draw(signature.inputs, problem, ranges);
  if (!inputs)
    return inputs.takeError();
  Expected<llvm::StringMap<Array>> states = draw(
      problem.givesStates ? ArrayRef<Port>(signature.states) : ArrayRef<Port>(), problem, ranges);
  if (!states)
    return states.takeError();
  Expected<Evaluation> expected = evaluateNamed(module, signature.mixer, *inputs, *states);
  if (!expected)
    return expected.takeError();
  llvm::outs() << signature.mixer << ' ' << problem.text
               << (problem.givesStates ? " with initial states" : "");
  bool passed = true;
  if (other) {
    Expected<Evaluation> actual = evaluateOther(other, signature.mixer, *inputs, *states);
    if (!actual)
      return actual.takeError();
    // A step form has states that the definition lacks.
    if (getStepSignature(other, signature.mixer))
      for (const std::string &name : sortedKeys(actual->states))
        if (!expected->states.contains(name))
          actual->states.erase(name);
    double error = std::max(relativeError(actual->outputs, expected->outputs),
                            relativeError(actual->states, expected->states));
    passed = error <= tolerance;
    llvm::outs() << ": error " << llvm::format("%.1e", error) << (passed ? "" : " FAILED");
  }
  llvm::outs() << '\n';
  if (printValues)
    for (const auto *arrays : {&expected->outputs, &expected->states})
      for (const std::string &name : sortedKeys(*arrays))
        print(name, arrays->find(name)->second);
  return passed;
}

static Expected<int> runAll(ModuleOp module, ModuleOp other) {
  Expected<llvm::StringMap<Bounds>> ranges = parseRanges();
  if (!ranges)
    return ranges.takeError();
  if (problems.empty())
    problems.push_back("");
  unsigned passed = 0, failed = 0;
  for (const Signature &signature : getSignatures(module))
    for (const std::string &text : problems)
      for (bool givesStates : {false, true}) {
        // A step form starts a sequence by itself.
        bool isStep = other && getStepSignature(other, signature.mixer);
        if (givesStates && (signature.states.empty() || isStep))
          continue;
        Expected<llvm::StringMap<int64_t>> sizes = parseSizes(text);
        if (!sizes)
          return sizes.takeError();
        Expected<bool> ok =
            runProblem(module, other, signature, {text, *sizes, givesStates}, *ranges);
        if (!ok)
          return ok.takeError();
        ++(*ok ? passed : failed);
      }
  if (passed + failed == 0)
    return llvm::createStringError("the file has no mixer");
  if (other)
    llvm::outs() << passed << " passed, " << failed << " failed\n";
  return failed ? 1 : 0;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::ParseCommandLineOptions(
      argc, argv,
      "Evaluates the mixers of a file in float64 on random inputs.\n\n"
      "With --against, evaluates the same mixers of another file on the same inputs\n"
      "and compares; the last line is 'N passed, N failed'. A step form is run over the\n"
      "sequence in calls of 1 to 4 tokens.\n");
  DialectRegistry registry;
  registerAllDialects(registry);
  registry.insert<MixDialect, tile::TileDialect>();
  cpu::registerTargetDialects(registry);
  gpu::registerTargetDialects(registry);
  MLIRContext context(registry);
  OwningOpRef<ModuleOp> module = parse(inputFile, context), other;
  if (!module)
    return 2;
  if (!otherFile.empty() && !(other = parse(otherFile, context)))
    return 2;
  Expected<int> status = runAll(*module, other ? *other : ModuleOp());
  if (!status) {
    llvm::errs() << "mix-evaluate: error: " << toString(status.takeError()) << '\n';
    return 2;
  }
  return *status;
}
