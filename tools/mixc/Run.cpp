//===- Run.cpp - mixc run ---------------------------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/driver/Choose.h"
#include "tools/driver/Gpu.h"
#include "tools/mixc/Commands.h"
#include "tools/mixc/RunStep.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Process.h"

using namespace mix;
using namespace mix::driver;
using namespace mix::mixc;
using llvm::createStringError;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

/// The element types of the kernel: those of --dtype and --state-dtype, else that of the real
/// tensors, which must then agree. States have the type of the arithmetic.
static Expected<TensorTypes> chooseTypes(const Arguments &arguments, const Signature &signature,
                                         const Call &call) {
  if (arguments.has("dtype"))
    return parseTypes(arguments, ElementType::F64);
  std::optional<ElementType> type;
  StringRef typedBy;
  auto visit = [&](StringRef name, const TensorMap &tensors) -> Error {
    auto tensor = tensors.find(name);
    if (tensor == tensors.end() || !isReal(tensor->second.getType()))
      return Error::success();
    ElementType own = tensor->second.getType();
    if (type.value_or(own) != own)
      return createStringError("'" + name + "' holds " + getTypeName(own) + ", but '" + typedBy +
                               "' holds " + getTypeName(*type) +
                               "; choose with --dtype f32, f64, bf16 or f16");
    if (!type)
      typedBy = name;
    type = own;
    return Error::success();
  };
  for (const Argument &arg : signature.inputs)
    if (Error error = visit(arg.name, call.inputs))
      return error;
  Expected<TensorTypes> types = parseTypes(arguments, type.value_or(ElementType::F64));
  if (!types)
    return types.takeError();
  for (const Argument &arg : signature.states) {
    auto state = call.states.find(arg.name);
    if (type && state != call.states.end() && state->second.getType() == types->state)
      continue;
    if (Error error = visit(arg.name, call.states))
      return error;
  }
  return parseTypes(arguments, type.value_or(ElementType::F64));
}

/// Writes all files or none: each goes to a temporary beside it, and takes its name
/// once all are complete.
static Error writeTensors(llvm::ArrayRef<std::pair<std::string, const Tensor *>> files) {
  llvm::SmallVector<std::string> temporaries;
  auto discard = [&] {
    for (const std::string &path : temporaries)
      llvm::sys::fs::remove(path);
  };
  std::string suffix = ".tmp" + std::to_string(llvm::sys::Process::getProcessId());
  for (const auto &[path, tensor] : files) {
    temporaries.push_back(path + suffix);
    if (Error error = writeNpy(temporaries.back(), *tensor)) {
      discard();
      return error;
    }
  }
  for (const auto &[temporary, file] : llvm::zip(temporaries, files))
    if (std::error_code code = llvm::sys::fs::rename(temporary, file.first)) {
      discard();
      return createStringError("cannot write '" + file.first + "': " + code.message());
    }
  return Error::success();
}

/// Checks the names of --out and --state-out before anything runs; those of what a step
/// keeps are known once it is compiled.
static Error checkResultNames(const Arguments &arguments, const Signature &signature, bool isStep) {
  auto list = [](llvm::ArrayRef<Argument> declared) {
    return llvm::join(llvm::map_range(declared, [](const Argument &a) { return a.name; }), ", ");
  };
  for (const auto &[name, path] : arguments.getAssignments("out"))
    if (!signature.findOutput(name))
      return createStringError("'" + signature.mixer + "' has no output '" + name + "'; it has " +
                               list(signature.outputs));
  for (const auto &[name, path] : arguments.getAssignments("state-out"))
    if (!isStep && !signature.findState(name))
      return createStringError("'" + signature.mixer + "' has no state '" + name +
                               (signature.states.empty() ? std::string("'; it has none")
                                                         : "'; it has " + list(signature.states)));
  if (arguments.getAssignments("out").empty() && arguments.getAssignments("state-out").empty())
    return createStringError("nothing to write: add --out " + signature.outputs.front().name +
                             "=FILE.npy");
  return Error::success();
}

static Expected<Call> readCall(const Arguments &arguments, const Signature &signature,
                               bool isStep) {
  Expected<std::string> layout = arguments.getChoice("layout", {"bthd", "bhtd"});
  if (!layout)
    return layout.takeError();
  Call call;
  Expected<SizeMap> sizes = arguments.getNumbers("size");
  if (!sizes)
    return sizes.takeError();
  call.shape.sizes = std::move(*sizes);
  if (arguments.has("cu-seqlens")) {
    Expected<TensorMap> offsets = readOffsets(arguments.get("cu-seqlens"));
    if (!offsets)
      return offsets.takeError();
    if (Error error = packShape(signature, *offsets, call.shape))
      return std::move(error);
  }
  Expected<TensorMap> inputs = readTensors(arguments.getAssignments("in"));
  if (!inputs)
    return inputs.takeError();
  call.inputs = std::move(*inputs);
  if (!isStep) {
    Expected<TensorMap> states = readTensors(arguments.getAssignments("state-in"));
    if (!states)
      return states.takeError();
    call.states = std::move(*states);
  }
  if (Error error = bindCall(signature, *layout == "bthd" ? MIXWRIGHT_BTHD : MIXWRIGHT_BHTD, call))
    return std::move(error);
  return call;
}

static Expected<CallResult> compute(const Arguments &arguments, Spec &spec, const Call &call,
                                    FormChoice wanted, TensorTypes types,
                                    mlir::TimingScope &timing) {
  Expected<int64_t> threads = parseThreads(arguments);
  if (!threads)
    return threads.takeError();
  Expected<std::unique_ptr<Gpu>> gpu = openTarget(arguments, wanted);
  if (!gpu)
    return gpu.takeError();
  KernelOptions options = makeKernelOptions(gpu->get(), types);
  options.timing = &timing;
  Expected<ChosenKernel> chosen = chooseKernel(spec, call.shape.sizes, wanted, options);
  if (!chosen)
    return chosen.takeError();
  for (const std::string &note : chosen->notes)
    llvm::errs() << "note: " << note << '\n';
  if (*gpu && !chosen->kernel)
    return createStringError("'" + spec.getSignature().mixer + "' has no kernel for the GPU");
  if (!wanted && chosen->form != Form::Chunked)
    llvm::errs() << "note: running the " << getFormName(chosen->form) << " form\n";

  mlir::TimingScope stage = timing.nest("Run");
  if (!chosen->kernel) {
    Expected<Program> program = spec.build(call.shape.sizes);
    if (!program)
      return program.takeError();
    return evaluateCall(program->getMixer(), spec.getSignature(), call, types);
  }
  Expected<ThreadPool> pool = ThreadPool::create(*threads);
  if (!pool)
    return pool.takeError();
  auto runKernel = [&](const mixwright_kernel &kernel, const Call &call) {
    return *gpu ? runOnGpu(**gpu, kernel, spec.getSignature(), call)
                : runOnCpu(kernel, spec.getSignature(), call, *pool);
  };
  if (goesOn(chosen->form))
    return runStep(arguments, spec.getSignature(), call, chosen->kernel->get(), runKernel);
  return runKernel(chosen->kernel->get(), call);
}

static Expected<int> run(const Arguments &arguments) {
  mlir::DefaultTimingManager stages; // prints to stderr when the command ends
  stages.setEnabled(arguments.has("time"));
  stages.setDisplayMode(mlir::DefaultTimingManager::DisplayMode::Tree);
  mlir::TimingScope timing = stages.getRootScope();
  auto spec = loadSpec(arguments);
  if (!spec)
    return spec.takeError();
  const Signature &signature = (*spec)->getSignature();
  Expected<FormChoice> wanted = parseForm(arguments.get("form", "auto"));
  if (!wanted)
    return wanted.takeError();
  bool isStep = *wanted && goesOn(**wanted);
  if (Error error = checkResultNames(arguments, signature, isStep))
    return std::move(error);
  if (!isStep)
    if (Error error = refuseStepOptions(arguments))
      return std::move(error);
  Expected<Call> call = readCall(arguments, signature, isStep);
  if (!call)
    return call.takeError();
  Expected<TensorTypes> types = chooseTypes(arguments, signature, *call);
  if (!types)
    return types.takeError();
  Expected<CallResult> result = compute(arguments, **spec, *call, *wanted, *types, timing);
  if (!result)
    return result.takeError();

  llvm::SmallVector<std::pair<std::string, const Tensor *>> files;
  for (const auto &[name, path] : arguments.getAssignments("out"))
    files.push_back({path, &result->outputs[name]});
  for (const auto &[name, path] : arguments.getAssignments("state-out"))
    files.push_back({path, &result->states[name]});
  if (Error error = writeTensors(files))
    return std::move(error);
  return 0;
}

static std::vector<Option> getRunOptions() {
  std::vector<Option> options = {
      {"in", Option::Assignments, "name=FILE ...", "inputs and params"},
      {"out", Option::Assignments, "name=FILE ...", "outputs to write"},
      {"state-in", Option::Assignments, "name=FILE ...",
       "initial states (default: what the spec says)"},
      {"state-out", Option::Assignments, "name=FILE ...", "final states to write"},
      getPackingOption(),
      {"form", Option::Value, "FORM",
       "auto: the fastest that can be derived, and says so if\n"
       "that is not chunked; chunked; recurrent; step and prefill,\n"
       "which go on where other calls ended, with few tokens and\n"
       "with many; reference: the definition in float64"},
      {"dtype", Option::Value, "TYPE", "f32, f64, bf16 or f16 (default: as the inputs)"},
      getStateTypeOption(),
      getTargetOption(),
      {"time", Option::Flag, "", "print how long each stage of compiling and running took"},
      {"layout", Option::Value, "LAYOUT", "bthd (default) or bhtd"},
      {"size", Option::AssignmentCommas, "AXIS=N,...", "sizes of axes that no input has"},
      getSetOption(),
      getMixerOption(),
      getThreadsOption()};
  llvm::append_range(options, getStepOptions());
  return options;
}

Command mix::mixc::getRunCommand() {
  return {
      "run",
      {"FILE.mix"},
      "run a mixer on tensors from .npy files",
      "A tensor that is declared [T, K] is given as [B, T, H, K] (batch, tokens, heads), or as\n"
      "[B, H, T, K] with --layout bhtd, or as [T, K] for one head of one sequence; [T] as\n"
      "[B, T, H]; a param as declared or with heads in front; a state [K, V] as [B, H, K, V].\n"
      "Head counts may differ where one divides the other. Results come in the same style.\n"
      "With --cu-seqlens, sequences are packed behind one another: [T, K] is given as [sum T, H, "
      "K]\n"
      "and a state as [N, H, K, V] for N sequences, which know nothing of each other.\n"
      "Files hold float32, float64, bfloat16, float16, int32, int64 or bool.\n"
      "--form step goes on where other calls ended: --in has the new tokens, --state-in and\n"
      "--state-out what is kept between calls, states and caches, whose shapes are printed\n"
      "(names as mixc explain --form step lists them). At position 0 they may be left out.",
      "mixc run examples/gated_delta_rule.mix --in q=q.npy k=k.npy v=v.npy g=g.npy\n"
      "    beta=beta.npy --out o=o.npy --state-out S=S.npy",
      getRunOptions(),
      run};
}
