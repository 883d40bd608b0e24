//===- Checks.cpp - Every form against the definition -----------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/mixc/Checks.h"
#include "tools/driver/Emulate.h"
#include "tools/driver/RunKernel.h"
#include "tools/mixc/PackedCheck.h"
#include "tools/mixc/StepCheck.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Sequence.h"
#include "llvm/ADT/StringExtras.h"

using namespace mix;
using namespace mix::driver;
using namespace mix::mixc;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

//===----------------------------------------------------------------------===//
// Reports
//===----------------------------------------------------------------------===//

int64_t CheckedForm::countPassed() const {
  return llvm::count_if(cases, [](const CheckedCase &c) { return c.passed; });
}

const CheckedCase *CheckedForm::findWorst() const {
  auto worst = llvm::max_element(cases, [](const CheckedCase &a, const CheckedCase &b) {
    return a.comparison.getShare() < b.comparison.getShare();
  });
  return worst == cases.end() ? nullptr : &*worst;
}

int64_t CheckReport::countPassed() const {
  int64_t count = 0;
  for (const CheckedForm &form : forms)
    count += form.countPassed();
  return count;
}

int64_t CheckReport::countFailed() const {
  int64_t count = 0;
  for (const CheckedForm &form : forms)
    count += form.countFailed();
  return count;
}

//===----------------------------------------------------------------------===//
// Calls to check
//===----------------------------------------------------------------------===//

namespace {

struct Case {
  std::string name;
  int64_t tokens, batch, heads;
  bool givesStates;
  bool sharesHeads = false; ///< the first input has one head for all
  int64_t cut = 0;          ///< > 0: in two calls, the second from this token on
  bool isPacked = false;    ///< several sequences behind one another, for the batch
};

/// A case at some feature sizes: the call, and what the definition makes of it.
struct PreparedCase {
  const Case *which;
  std::string sizes;
  Call call;
  Expectation expected;
};

} // namespace

/// Lengths around the tiles that kernels are made of (32 and 64 tokens), a prime, and
/// several chunks; a few batches and heads; states given and not.
static std::vector<Case> makeCases(bool hasInputs, bool canBePacked) {
  std::vector<Case> cases;
  for (int64_t tokens : {0, 1, 2, 31, 32, 33, 63, 64, 65, 131, 257})
    cases.push_back({"T=" + std::to_string(tokens), tokens, tokens > 100 ? 1 : 2, 2,
                     /*givesStates=*/tokens % 2 == 1});
  if (hasInputs)
    cases.push_back({"T=33, shared heads", 33, 2, 3, true, /*sharesHeads=*/true});
  if (hasInputs && canBePacked)
    cases.push_back({"packed", 0, 0, 2, true, false, 0, /*isPacked=*/true});
  for (int64_t cut : {1, 40, 64})
    cases.push_back({"T=75, cut at " + std::to_string(cut), 75, 1, 2, true, false, cut});
  return cases;
}

/// The axis that a sequence may be cut along: a token axis of the first input that has one,
/// of an output too if there is such an axis.
static StringRef findTokenAxis(const Signature &signature) {
  auto isOfOutput = [&](StringRef axis) {
    return llvm::any_of(signature.outputs,
                        [&](const Argument &arg) { return arg.walksAlong(axis); });
  };
  for (const Argument &arg : signature.inputs) {
    llvm::SmallVector<StringRef, 2> axes = signature.getTokenAxes(arg);
    if (arg.kind == ArgumentKind::Param || axes.empty())
      continue;
    auto found = llvm::find_if(axes, isOfOutput);
    return found == axes.end() ? axes.front() : *found;
  }
  return "";
}

/// Token axes of parameters only, as those of a filter are.
static llvm::SmallVector<StringRef> findFilterAxes(const Signature &signature) {
  llvm::SmallVector<StringRef> axes;
  for (StringRef axis : signature.tokenAxes.keys())
    if (!signature.blocks.contains(axis) &&
        llvm::all_of(signature.inputs, [&](const Argument &input) {
          return input.kind == ArgumentKind::Param || !llvm::is_contained(input.axes, axis);
        }))
      axes.push_back(axis);
  return axes;
}

/// Sizes of all axes. Other token axes are a little longer than the first, so that
/// nothing relies on their being equal, unless the user chose their sizes. Filters of
/// several axes are short: all of their elements meet all pairs of tokens.
static Expected<SizeMap> makeSizes(const Signature &signature, const SizeMap &features,
                                   int64_t tokens) {
  SizeMap sizes = features;
  static constexpr int64_t kFilterLength = 6;
  StringRef first = findTokenAxis(signature);
  llvm::SmallVector<StringRef> filters = findFilterAxes(signature);
  for (StringRef axis : signature.tokenAxes.keys())
    if (axis == first)
      sizes[axis] = tokens;
    else if (!signature.blocks.contains(axis))
      sizes.try_emplace(axis, filters.size() > 1 && llvm::is_contained(filters, axis)
                                  ? kFilterLength
                                  : tokens + 5);
  if (Error error = completeSizes(signature, sizes))
    return std::move(error);
  return sizes;
}

/// Two sets of sizes of the feature axes, small and odd, and a little larger; the
/// user's choice replaces both.
static std::vector<SizeMap> makeFeatureSizes(const Signature &signature, const SizeMap &chosen) {
  static constexpr int64_t small[] = {5, 7, 3, 6, 4}, large[] = {32, 33, 17, 20, 9};
  std::vector<SizeMap> sets(2, chosen);
  bool isFree = false;
  for (auto [index, axis] : llvm::enumerate(signature.getFeatureAxes())) {
    isFree |= !chosen.contains(axis);
    sets[0].try_emplace(axis, small[index % std::size(small)]);
    sets[1].try_emplace(axis, large[index % std::size(large)]);
  }
  if (!isFree)
    sets.pop_back();
  return sets;
}

static std::string formatSizes(const Signature &signature, const SizeMap &sizes) {
  return llvm::join(llvm::map_range(signature.getFeatureAxes(),
                                    [&](const std::string &axis) {
                                      return axis + "=" + std::to_string(sizes.lookup(axis));
                                    }),
                    ", ");
}

//===----------------------------------------------------------------------===//
// Sequences in two parts
//===----------------------------------------------------------------------===//

/// The call on tokens [begin, end) alone.
static Expected<Call> takePart(const Signature &signature, const Call &call, int64_t begin,
                               int64_t end) {
  StringRef axis = findTokenAxis(signature);
  Call part = call;
  part.shape.sizes[axis] = end - begin;
  for (auto &entry : signature.blocks)
    part.shape.sizes.erase(entry.getKey());
  if (Error error = completeSizes(signature, part.shape.sizes))
    return std::move(error);
  for (const Argument &arg : signature.inputs) {
    if (!arg.walksAlong(axis))
      continue;
    const Tensor &whole = call.inputs.find(arg.name)->second;
    llvm::SmallVector<int64_t, 6> shape(whole.getShape());
    int64_t dimension = getDimension(arg, call.shape, axis);
    shape[dimension] = end - begin;
    Tensor tensor(whole.getType(), shape);
    tensor.copyAlong(dimension, whole, begin, 0, end - begin);
    part.inputs[arg.name] = std::move(tensor);
  }
  return part;
}

/// Runs a call in parts that end at the tokens `ends`, the final states of each being the
/// initial states of the next, and joins the results.
static Expected<CallResult> runInParts(const Signature &signature, const Call &call,
                                       llvm::ArrayRef<int64_t> ends, const Runner &run) {
  StringRef axis = findTokenAxis(signature);
  CallResult joined;
  joined.states = call.states;
  int64_t begin = 0;
  for (int64_t end : ends) {
    Expected<Call> part = takePart(signature, call, begin, end);
    if (!part)
      return part.takeError();
    part->states = std::move(joined.states);
    Expected<CallResult> result = run(*part);
    if (!result)
      return result.takeError();
    joined.states = std::move(result->states);
    for (const Argument &arg : signature.outputs) {
      Tensor &own = result->outputs[arg.name];
      if (!arg.walksAlong(axis)) {
        joined.outputs[arg.name] = std::move(own);
        continue;
      }
      auto whole =
          joined.outputs.try_emplace(arg.name, own.getType(), call.shape.getShape(arg)).first;
      whole->second.copyAlong(getDimension(arg, call.shape, axis), own, 0, begin, end - begin);
    }
    begin = end;
  }
  return joined;
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

namespace {

class Checker {
public:
  Checker(Spec &spec, const CheckOptions &options, ThreadPool pool)
      : spec(spec), signature(spec.getSignature()), options(options), pool(std::move(pool)),
        cases(makeCases(!findTokenAxis(signature).empty(), canPack(signature))) {}

  Expected<CheckReport> run() {
    if (StringRef axis = findTokenAxis(signature); options.sizes.contains(axis))
      return llvm::createStringError("the check chooses lengths of sequences: leave out --size " +
                                     axis + "=" + llvm::Twine(options.sizes.lookup(axis)));
    std::vector<SizeMap> sets = makeFeatureSizes(signature, options.sizes);
    if (Error error = plan(sets.back()))
      return std::move(error);
    for (Form form : {Form::Chunked, Form::Recurrent, Form::Step, Form::Prefill})
      for (TensorTypes types : options.types)
        if (!goesOn(form) || !findTokenAxis(signature).empty())
          report.forms.push_back({form, types, "", {}, {}});
    if (llvm::any_of(options.types, [](TensorTypes t) { return t.type == ElementType::F64; }))
      report.forms.push_back({Form::Reference, ElementType::F64, "", {}, {}});
    for (const SizeMap &features : sets)
      for (TensorTypes types : options.types)
        if (Error error = checkTypes(features, types))
          return std::move(error);
    return std::move(report);
  }

private:
  Error plan(const SizeMap &features) {
    report.mixer = signature.mixer;
    Expected<SizeMap> sizes = makeSizes(signature, features, 257);
    if (!sizes)
      return sizes.takeError();
    Expected<DrawPlan> plan = planInputs(spec, *sizes, options.ranges);
    if (!plan)
      return plan.takeError();
    report.plan = std::move(*plan);
    return Error::success();
  }

  Runner makeEvaluator(Program &program, TensorTypes types) {
    return [this, &program, types](const Call &call) {
      return evaluateCall(program.getMixer(), signature, call, types);
    };
  }

  Expected<Call> makeCall(const Case &which, const SizeMap &features) {
    Expected<SizeMap> sizes = makeSizes(signature, features, which.tokens);
    if (!sizes)
      return sizes.takeError();
    CallShape shape{MIXWRIGHT_BTHD, which.batch, which.heads, std::move(*sizes)};
    if (which.isPacked)
      if (Error error = packSequences(signature, findTokenAxis(signature), shape))
        return std::move(error);
    StringRef shared = which.sharesHeads ? StringRef(signature.inputs.front().name) : "";
    return drawCall(signature, shape, report.plan, which.givesStates,
                    /*seed=*/static_cast<uint64_t>(which.tokens) + 1, shared);
  }

  static Call round(Call call, TensorTypes types) {
    auto roundAll = [](TensorMap &tensors, ElementType type) {
      for (auto &entry : tensors)
        if (isReal(entry.second.getType()))
          entry.second = entry.second.convertTo(type);
    };
    roundAll(call.inputs, types.type);
    roundAll(call.states, types.state);
    return call;
  }

  Expected<CallResult> runCase(const Case &which, const Call &call, const Runner &run) {
    return which.cut > 0 ? runInParts(signature, call, {which.cut, which.tokens}, run) : run(call);
  }

  /// The definition's results in float64. Where tensors have 16 bits, rounding alone is far
  /// from exact, and its error is what a kernel is judged by; else inputs are rounded first, so
  /// that only the computation is judged.
  Expected<Expectation> makeExpectation(const Case &which, const Call &call, TensorTypes types,
                                        Program &program) {
    bool isNarrow = types.type != types.state || getTypeBytes(types.state) < 4;
    Runner evaluate = makeEvaluator(program, ElementType::F64);
    Call rounded = round(call, types);
    Expectation expected;
    expected.type = types.type;
    Expected<CallResult> exact = evaluate(isNarrow ? call : rounded);
    if (!exact)
      return exact.takeError();
    expected.exact = std::move(*exact);
    if (!isNarrow)
      return expected;
    Expected<CallResult> byRounding = runCase(which, rounded, makeEvaluator(program, types));
    if (!byRounding)
      return byRounding.takeError();
    expected.rounded = std::move(*byRounding);
    return expected;
  }

  Expected<std::vector<PreparedCase>> prepare(const SizeMap &features, TensorTypes types,
                                              Program &program) {
    std::vector<PreparedCase> prepared;
    for (const Case &which : cases) {
      if (which.cut > 0 && !report.canBeCut.value_or(!signature.states.empty()))
        continue;
      Expected<Call> call = makeCall(which, features);
      if (!call)
        return call.takeError();
      if (which.cut > 0 && !report.canBeCut) {
        if (Error error = decideCut(which, *call, makeEvaluator(program, ElementType::F64)))
          return std::move(error);
        if (!*report.canBeCut)
          continue;
      }
      Expected<Expectation> expected = makeExpectation(which, *call, types, program);
      if (!expected)
        return expected.takeError();
      prepared.push_back({&which, formatSizes(signature, features), round(std::move(*call), types),
                          std::move(*expected)});
    }
    return prepared;
  }

  /// Whether the definition gives the same results in two calls.
  Error decideCut(const Case &which, const Call &call, const Runner &evaluate) {
    Expected<CallResult> whole = evaluate(call);
    if (!whole)
      return whole.takeError();
    Expected<CallResult> inTwo = runCase(which, call, evaluate);
    if (!inTwo)
      return inTwo.takeError();
    Expectation expected{std::move(*whole), std::nullopt};
    report.canBeCut = compare(*inTwo, expected).error < 1e-9;
    return Error::success();
  }

  Error checkTypes(const SizeMap &features, TensorTypes types) {
    Expected<Program> program = spec.build(features);
    if (!program)
      return program.takeError();
    Expected<std::vector<PreparedCase>> prepared = prepare(features, types, *program);
    if (!prepared)
      return prepared.takeError();
    for (CheckedForm &form : report.forms)
      if (form.types.type == types.type && form.notDerived.empty())
        checkForm(form, features, *prepared, *program);
    return Error::success();
  }

  void checkForm(CheckedForm &form, const SizeMap &features,
                 const std::vector<PreparedCase> &prepared, Program &program) {
    if (form.form == Form::Reference) {
      for (const PreparedCase &one : prepared)
        form.cases.push_back(checkCase(one, makeEvaluator(program, ElementType::F64)));
      return;
    }
    Error error = options.isEmulated ? checkEmulated(form, features, prepared, program)
                                     : checkCompiled(form, features, prepared, program);
    if (!error)
      return;
    if (error.isA<NotDerivedError>()) {
      form.notDerived = toString(std::move(error));
      return;
    }
    form.cases.push_back({"compilation",
                          formatSizes(signature, features),
                          {},
                          toString(std::move(error)),
                          /*passed=*/false});
  }

  /// Compiles other forms as the one that is checked.
  Expected<CompiledKernel> compileForm(const CheckedForm &form, Form which,
                                       const SizeMap &features) {
    KernelOptions kernelOptions{which, form.types, options.chip};
    kernelOptions.isEmulated = options.gpu && options.gpu->isEmulated();
    return compile(spec, features, kernelOptions);
  }

  Error checkCompiled(CheckedForm &form, const SizeMap &features,
                      const std::vector<PreparedCase> &prepared, Program &program) {
    Expected<CompiledKernel> kernel = compileForm(form, form.form, features);
    if (!kernel)
      return kernel.takeError();
    form.notes = kernel->getNotes().vec();
    auto runOn = [&](const ThreadPool &threads) {
      return [&](const mixwright_kernel &kernel, const Call &call) {
        return options.gpu ? runOnGpu(*options.gpu, kernel, signature, call)
                           : runOnCpu(kernel, signature, call, threads);
      };
    };
    if (!goesOn(form.form)) {
      for (const PreparedCase &one : prepared)
        form.cases.push_back(
            checkCase(one, [&](const Call &call) { return runOn(pool)(kernel->get(), call); }));
      return Error::success();
    }
    // What a prefill leaves is good if steps can go on from there.
    std::optional<CompiledKernel> step;
    llvm::SmallVector<const mixwright_kernel *> kernels = {&kernel->get()};
    if (form.form == Form::Prefill) {
      Expected<CompiledKernel> own = compileForm(form, Form::Step, features);
      if (!own)
        return own.takeError();
      kernels.push_back(&step.emplace(std::move(*own)).get());
    }
    // Bits do not depend on the number of threads either.
    Expected<ThreadPool> one = ThreadPool::create(1);
    if (!one)
      return one.takeError();
    checkSteps(form, kernels, features, program, runOn(pool), runOn(*one));
    return Error::success();
  }

  Expected<EmulatedKernel> emulateForm(const CheckedForm &form, Form which,
                                       const SizeMap &features) {
    Expected<DeviceProgram> program =
        compileForDevice(spec, features, {which, form.types, options.chip});
    if (!program)
      return program.takeError();
    return EmulatedKernel::load(std::move(*program));
  }

  Error checkEmulated(CheckedForm &form, const SizeMap &features,
                      const std::vector<PreparedCase> &prepared, Program &program) {
    std::vector<EmulatedKernel> emulated; // never grows once `kernels` points into it
    llvm::SmallVector<Form, 2> forms = {form.form};
    if (form.form == Form::Prefill)
      forms.push_back(Form::Step);
    for (Form which : forms) {
      Expected<EmulatedKernel> kernel = emulateForm(form, which, features);
      if (!kernel)
        return kernel.takeError();
      emulated.push_back(std::move(*kernel));
    }
    form.notes = emulated.front().getNotes().vec();
    if (!goesOn(form.form)) {
      for (const PreparedCase &one : prepared)
        form.cases.push_back(
            checkCase(one, [&](const Call &call) { return emulate(emulated.front(), call); }));
      return Error::success();
    }
    llvm::SmallVector<const mixwright_kernel *> kernels;
    for (const EmulatedKernel &kernel : emulated)
      kernels.push_back(&kernel.getKernel());
    auto run = [&](const mixwright_kernel &kernel, const Call &call) {
      auto own = llvm::find_if(
          emulated, [&](const EmulatedKernel &each) { return &each.getKernel() == &kernel; });
      return emulate(*own, call);
    };
    checkSteps(form, kernels, features, program, run, run);
    return Error::success();
  }

  /// Runs a call under as many schedules as were asked for, others for every call.
  Expected<CallResult> emulate(const EmulatedKernel &kernel, const Call &call) {
    std::optional<CallResult> first;
    for (int64_t n = 0; n < options.schedules; ++n) {
      Expected<CallResult> result = kernel.run(signature, call, makeSchedule(numSchedules++));
      if (!result)
        return result.takeError();
      if (!first)
        first = std::move(*result);
      else if (!isSame(first->outputs, result->outputs) || !isSame(first->states, result->states))
        return llvm::createStringError("two schedules of the GPU's threads give different results");
    }
    return std::move(*first);
  }

  static emu::Schedule makeSchedule(uint64_t number) {
    static constexpr emu::Order orders[] = {emu::Order::Forward, emu::Order::Reversed,
                                            emu::Order::Random};
    return {orders[number % 3], /*seed=*/number, /*lateCopies=*/number % 2 == 1};
  }

  static bool isSame(const TensorMap &first, const TensorMap &second) {
    return llvm::all_of(first, [&](const auto &entry) {
      return getError(entry.second, second.find(entry.first())->second) == 0;
    });
  }

  CheckedCase checkCase(const PreparedCase &one, const Runner &run) {
    CheckedCase checked{one.which->name, one.sizes, {}, "", false};
    Expected<CallResult> result = runCase(*one.which, one.call, run);
    if (!result) {
      checked.failure = toString(result.takeError());
      return checked;
    }
    checked.comparison = compare(*result, one.expected);
    checked.passed = checked.comparison.isGood();
    if (!checked.passed || !one.which->isPacked)
      return checked;
    Expected<std::string> influence = findInfluence(signature, one.call, *result, run);
    checked.failure = influence ? *influence : toString(influence.takeError());
    checked.passed = checked.failure.empty();
    return checked;
  }

  /// Checks kernels that take turns. Sequences by themselves are run by `runAlone`.
  void checkSteps(CheckedForm &form, StepKernels kernels, const SizeMap &features, Program &program,
                  StepRunner run, StepRunner runAlone) {
    for (const StepCase &which : makeStepCases(kernels, signature, canStagger(signature)))
      form.cases.push_back(
          checkStepCase(which, kernels, features, form.types, program, run, runAlone));
  }

  CheckedCase checkStepCase(const StepCase &which, StepKernels kernels, const SizeMap &features,
                            TensorTypes types, Program &program, StepRunner run,
                            StepRunner runAlone) {
    CheckedCase checked{which.name, formatSizes(signature, features), {}, "", false};
    if (Error error = runStepCase(which, kernels, features, types, program, run, runAlone, checked))
      checked.failure = toString(std::move(error));
    checked.passed = checked.failure.empty() && checked.comparison.isGood();
    return checked;
  }

  Error runStepCase(const StepCase &which, StepKernels kernels, const SizeMap &features,
                    TensorTypes types, Program &program, StepRunner run, StepRunner runAlone,
                    CheckedCase &checked) {
    Expected<SizeMap> sizes = makeSizes(signature, features, which.tokens);
    if (!sizes)
      return sizes.takeError();
    const Argument &shared = signature.inputs[signature.inputs.size() > 1 ? 1 : 0];
    Call call = drawCall(signature, {MIXWRIGHT_BTHD, which.batch, which.heads, std::move(*sizes)},
                         report.plan, /*givesStates=*/false, planSeed,
                         which.sharesHeads ? StringRef(shared.name) : "");
    Case whole{which.name, which.tokens, which.batch, which.heads, /*givesStates=*/false};
    Expected<Expectation> expected = makeExpectation(whole, call, types, program);
    if (!expected)
      return expected.takeError();
    call = round(std::move(call), types);
    // A step rounds a state of 16 bits after each token.
    if (getTypeBytes(types.state) < 4 && report.canBeCut.value_or(false)) {
      auto ends = llvm::to_vector(llvm::seq_inclusive<int64_t>(1, which.tokens));
      Expected<CallResult> rounded =
          runInParts(signature, call, ends, makeEvaluator(program, types));
      if (!rounded)
        return rounded.takeError();
      expected->rounded = std::move(*rounded);
    }
    StepPlan plan = planSteps(kernels, which);
    StringRef axis = findTokenAxis(signature);
    Expected<CallResult> result = runInSteps(kernels, signature, axis, call, plan, run);
    if (!result)
      return result.takeError();
    checked.comparison = compare(*result, *expected);
    if (which.isStaggered)
      return Error::success();
    Expected<std::string> influence =
        findStepInfluence(kernels, signature, axis, call, plan, *result, runAlone);
    if (!influence)
      return influence.takeError();
    checked.failure = *influence;
    return Error::success();
  }

  Spec &spec;
  const Signature &signature;
  const CheckOptions &options;
  ThreadPool pool;
  std::vector<Case> cases;
  CheckReport report;
  uint64_t numSchedules = 0; ///< that the emulator has run
};

} // namespace

Expected<CheckReport> mix::mixc::runChecks(Spec &spec, const CheckOptions &options) {
  Expected<ThreadPool> pool = ThreadPool::create(options.threads);
  if (!pool)
    return pool.takeError();
  return Checker(spec, options, std::move(*pool)).run();
}
