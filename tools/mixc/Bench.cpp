//===- Bench.cpp - mixc bench -----------------------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The machine's peaks are measured between the runs of the kernel, so that load by
// others hits both, and ratios are taken of medians.
//
//===----------------------------------------------------------------------===//

#include "tools/driver/Choose.h"
#include "tools/driver/Cost.h"
#include "tools/driver/Draw.h"
#include "tools/driver/MachinePeak.h"
#include "tools/driver/Steps.h"
#include "tools/mixc/Commands.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include <chrono>
#include <random>

using namespace mix;
using namespace mix::driver;
using namespace mix::mixc;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
namespace json = llvm::json;

namespace {

/// Measurements of one quantity.
struct Samples {
  std::vector<double> values;

  double getQuantile(double q) const {
    std::vector<double> sorted = values;
    llvm::sort(sorted);
    return sorted[static_cast<size_t>(q * static_cast<double>(sorted.size() - 1) + 0.5)];
  }
  double getMedian() const { return getQuantile(0.5); }
};

struct BenchResult {
  std::string name;
  Form form;
  TensorTypes types;
  std::string device; ///< a GPU: "cuda, sm_90"; empty: the CPU, which alone has threads and peaks
  int threads = 0;
  double compileMilliseconds;
  double flops;
  int64_t bytes;
  size_t workspaceBytes;
  Samples seconds, peak, bandwidth; ///< s, GFLOP/s, GB/s
  /// Of a step: what it keeps, read and written; and the bandwidth of updating that much.
  int64_t stateBytes = 0, cacheBytes = 0;
  Samples inPlace;
  bool isWhole = true; ///< sequences begin with this call

  double getGigabytesPerSecond() const {
    return static_cast<double>(bytes) / seconds.getMedian() * 1e-9;
  }
  double getGflops() const { return flops / seconds.getMedian() * 1e-9; }
  double getPeakFraction() const { return getGflops() / peak.getMedian(); }
  double getInPlaceFraction() const {
    return static_cast<double>(stateBytes) / seconds.getMedian() * 1e-9 / inPlace.getMedian();
  }
  double getBandwidthFraction() const { return getGigabytesPerSecond() / bandwidth.getMedian(); }
};

double timeSeconds(llvm::function_ref<void()> body) {
  auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// When there are samples enough.
constexpr double totalSeconds = 2;
constexpr size_t leastSamples = 5, mostSamples = 101;

/// Alternates the kernel with the two measures of the machine for about two seconds.
Error measure(BoundKernel &kernel, const ThreadPool &pool, BenchResult &result) {
  constexpr double leastSampleSeconds = 2e-3;
  Error error = Error::success();
  auto runOnce = [&] {
    if (!error)
      error = kernel.run(pool);
  };
  runOnce();
  double once = timeSeconds(runOnce);
  if (error)
    return error;
  int64_t repeats = std::max<int64_t>(1, static_cast<int64_t>(leastSampleSeconds / once));
  StreamBandwidth stream(result.threads);
  std::optional<InPlaceBandwidth> inPlace;
  if (result.form == Form::Step && result.stateBytes > 0)
    inPlace.emplace(result.stateBytes / 2, result.threads);
  double spent = 0;
  while (result.seconds.values.size() < leastSamples ||
         (spent < totalSeconds && result.seconds.values.size() < mostSamples)) {
    spent += timeSeconds([&] {
      result.peak.values.push_back(measureFmaPeak(result.types.type, result.threads));
      double seconds = timeSeconds([&] {
        for (int64_t n = 0; n < repeats; ++n)
          runOnce();
      });
      result.seconds.values.push_back(seconds / static_cast<double>(repeats));
      result.bandwidth.values.push_back(stream.measure());
      if (inPlace)
        result.inPlace.values.push_back(inPlace->measure());
    });
  }
  return error;
}

/// For about two seconds too. Many launches follow each other between two events, so that what
/// the host does is hidden.
Error measureOnGpu(GpuCall &call, BenchResult &result) {
  constexpr double leastSampleSeconds = 1e-2;
  if (Expected<double> first = call.measure(1); !first)
    return first.takeError();
  Expected<double> once = call.measure(3);
  if (!once)
    return once.takeError();
  int64_t repeats = 1 + static_cast<int64_t>(leastSampleSeconds / std::max(*once, 1e-6));
  for (double spent = 0; result.seconds.values.size() < leastSamples ||
                         (spent < totalSeconds && result.seconds.values.size() < mostSamples);) {
    Expected<double> seconds = call.measure(repeats);
    if (!seconds)
      return seconds.takeError();
    spent += *seconds * static_cast<double>(repeats);
    result.seconds.values.push_back(*seconds);
  }
  return Error::success();
}

Expected<ChosenKernel> compileKernel(Spec &spec, const SizeMap &sizes, FormChoice wanted,
                                     const Gpu *gpu, BenchResult &result) {
  std::optional<Expected<ChosenKernel>> chosen;
  double seconds = timeSeconds([&] {
    chosen.emplace(chooseKernel(spec, sizes, wanted, makeKernelOptions(gpu, result.types)));
  });
  if (!*chosen)
    return std::move(*chosen);
  for (const std::string &note : (*chosen)->notes)
    llvm::errs() << "note: " << note << '\n';
  if (!(*chosen)->kernel)
    return llvm::createStringError("'" + result.name + "' has no kernel to measure");
  result.form = (*chosen)->form;
  result.compileMilliseconds = 1e3 * seconds;
  return std::move(*chosen);
}

/// Makes a call one that goes on after `earlier` tokens, and counts what it touches of what
/// is kept: states are read and written, of caches the rows that the new tokens see.
void makeStep(const mixwright_kernel &kernel, const Signature &signature, int64_t earlier,
              Call &call, BenchResult &result) {
  int64_t fresh = 0;
  for (const Argument &arg : signature.inputs)
    for (StringRef axis : signature.getTokenAxes(arg))
      if (arg.kind == ArgumentKind::Input)
        fresh = std::max(fresh, call.shape.sizes.lookup(axis));
  call.states.clear();
  Tensor position(ElementType::I64, {call.shape.batch});
  position.fill(static_cast<double>(earlier));
  call.position = std::move(position);
  makeStepMemory(kernel, signature, {earlier + fresh, 0, fresh, false}, call);
  for (auto &entry : call.states) {
    std::mt19937 random(1);
    std::normal_distribution<double> normal(0, 0.1);
    for (int64_t n = 0, count = entry.second.getCount(); n < count; ++n)
      entry.second.set(n, normal(random));
  }
  for (const mixwright_arg &arg : llvm::ArrayRef(kernel.args, kernel.num_args)) {
    auto kept = call.states.find(arg.name);
    if (kept == call.states.end())
      continue;
    int64_t bytes = kept->second.getBytes(), rows = earlier + fresh;
    if (arg.kind == MIXWRIGHT_STATE)
      result.stateBytes += 2 * bytes;
    else if (rows > 0)
      result.cacheBytes +=
          bytes / rows * (std::min(rows, arg.window > 0 ? arg.window + fresh - 1 : rows) + fresh);
  }
  result.bytes += result.stateBytes + result.cacheBytes;
}

/// Of all sequences and heads.
double countFlops(mlir::func::FuncOp definition, const CallShape &shape) {
  auto heads = static_cast<double>(shape.heads);
  if (!shape.isPacked())
    return heads * static_cast<double>(shape.batch) * countDefinitionFlops(definition, shape.sizes);
  double flops = 0;
  for (int64_t n = 0; n < shape.batch; ++n) {
    SizeMap sizes = shape.sizes;
    for (auto &entry : sizes)
      entry.second = shape.getRange(entry.getKey(), n).second;
    flops += heads * countDefinitionFlops(definition, sizes);
  }
  return flops;
}

Expected<BenchResult> runBench(const Arguments &arguments, Spec &spec) {
  const Signature &signature = spec.getSignature();
  Expected<CallShape> shape = parseShape(arguments, signature);
  if (!shape)
    return shape.takeError();
  Expected<std::string> layout = arguments.getChoice("layout", {"bthd", "bhtd"});
  if (!layout)
    return layout.takeError();
  shape->layout = *layout == "bthd" ? MIXWRIGHT_BTHD : MIXWRIGHT_BHTD;
  Expected<TensorTypes> types = parseTypes(arguments, ElementType::F32);
  if (!types)
    return types.takeError();
  Expected<int64_t> threads = parseThreads(arguments);
  if (!threads)
    return threads.takeError();
  Expected<ThreadPool> pool = ThreadPool::create(*threads);
  if (!pool)
    return pool.takeError();

  BenchResult result;
  result.name = signature.mixer;
  result.types = *types;
  result.threads = pool->getThreads();
  Expected<FormChoice> wanted = parseForm(arguments.get("form", "auto"));
  if (!wanted)
    return wanted.takeError();
  Expected<std::unique_ptr<Gpu>> gpu = openTarget(arguments, *wanted);
  if (!gpu)
    return gpu.takeError();
  if (*gpu) {
    result.device = (arguments.get("target") + ", " + (*gpu)->getChip()).str();
    result.threads = 0;
  }
  Expected<ChosenKernel> chosen = compileKernel(spec, shape->sizes, *wanted, gpu->get(), result);
  if (!chosen)
    return chosen.takeError();
  Expected<DrawPlan> plan = planInputs(spec, shortenTokens(signature, shape->sizes), {});
  if (!plan)
    return plan.takeError();
  Call call = drawCall(signature, *shape, *plan, /*givesStates=*/true, /*seed=*/1);
  Expected<Program> program = spec.build(shape->sizes);
  if (!program)
    return program.takeError();
  result.flops = countFlops(program->getMixer(), *shape);
  result.bytes = countTensorBytes(signature, *shape, result.types, call.inputs);

  if (goesOn(result.form)) {
    // The first token of a sequence also sets the states up.
    Expected<int64_t> earlier = arguments.getNumber("cache", result.form == Form::Step ? 1 : 0, 0);
    if (!earlier)
      return earlier.takeError();
    result.isWhole = result.form == Form::Prefill && *earlier == 0;
    // What is kept is counted apart.
    Signature stateless = signature;
    stateless.states.clear();
    result.bytes = countTensorBytes(stateless, *shape, result.types, call.inputs);
    makeStep(chosen->kernel->get(), signature, *earlier, call, result);
  } else if (arguments.has("cache")) {
    return llvm::createStringError(
        "--cache: only the forms step and prefill have earlier tokens; add --form step");
  }
  BoundKernel bound(chosen->kernel->get(), signature, call);
  if (*gpu) {
    auto onGpu = GpuCall::create(**gpu, chosen->kernel->get(), bound);
    if (!onGpu)
      return onGpu.takeError();
    result.workspaceBytes = (*onGpu)->getWorkspaceBytes();
    if (Error error = measureOnGpu(**onGpu, result))
      return std::move(error);
    return result;
  }
  Expected<size_t> workspace = bound.getWorkspaceBytes();
  if (!workspace)
    return workspace.takeError();
  result.workspaceBytes = *workspace;
  if (Error error = measure(bound, *pool, result))
    return std::move(error);
  return result;
}

} // namespace

//===----------------------------------------------------------------------===//
// Output
//===----------------------------------------------------------------------===//

static void printText(const BenchResult &result, StringRef shape, llvm::raw_ostream &os) {
  const Samples &time = result.seconds;
  os << result.name << ", " << getFormName(result.form) << ", " << getTypeName(result.types.type)
     << ", ";
  if (result.device.empty())
    os << result.threads << (result.threads == 1 ? " thread, " : " threads, ");
  else
    os << result.device << ", ";
  os << shape << '\n';
  os << llvm::format("time         %.3f ms (%.3f to %.3f, %zu samples)\n", 1e3 * time.getMedian(),
                     1e3 * time.getQuantile(0.25), 1e3 * time.getQuantile(0.75),
                     time.values.size());
  if (!result.device.empty()) {
    os << llvm::format("arithmetic   %.4g GFLOP by the definition, %.1f GFLOP/s\n",
                       1e-9 * result.flops, result.getGflops());
    os << llvm::format("memory       %.4g MB in tensors, %.1f GB/s\n",
                       1e-6 * static_cast<double>(result.bytes), result.getGigabytesPerSecond());
    os << llvm::format("workspace    %.4g MB\n", 1e-6 * static_cast<double>(result.workspaceBytes));
    os << llvm::format("to callable  %.0f ms\n", result.compileMilliseconds);
    return;
  }
  // What the definition asks for is known of whole sequences.
  if (result.isWhole)
    os << llvm::format("arithmetic   %.4g GFLOP by the definition, %.1f GFLOP/s: %.1f %% of the "
                       "peak of %.1f GFLOP/s\n",
                       1e-9 * result.flops, result.getGflops(), 100 * result.getPeakFraction(),
                       result.peak.getMedian());
  os << llvm::format("memory       %.4g MB in tensors: %.1f %% of the bandwidth of %.1f GB/s\n",
                     1e-6 * static_cast<double>(result.bytes), 100 * result.getBandwidthFraction(),
                     result.bandwidth.getMedian());
  if (goesOn(result.form))
    os << llvm::format("kept         states %.4g MB and caches %.4g MB are touched\n",
                       1e-6 * static_cast<double>(result.stateBytes),
                       1e-6 * static_cast<double>(result.cacheBytes));
  if (!result.inPlace.values.empty())
    os << llvm::format("in place     %.1f %% of the %.1f GB/s at which so much is updated\n",
                       100 * result.getInPlaceFraction(), result.inPlace.getMedian());
  os << llvm::format("workspace    %.4g MB\n", 1e-6 * static_cast<double>(result.workspaceBytes));
  os << llvm::format("to callable  %.0f ms\n", result.compileMilliseconds);
}

/// The schema is in docs/json.md.
static void printJson(const BenchResult &result, StringRef shape, llvm::raw_ostream &os) {
  const Samples &time = result.seconds;
  json::Object problem{{"name", result.name},
                       {"form", getFormName(result.form)},
                       {"dtype", getTypeName(result.types.type)},
                       {"shape", shape},
                       {"threads", result.threads},
                       {"time_ms", 1e3 * time.getMedian()},
                       {"time_ms_low", 1e3 * time.getQuantile(0.25)},
                       {"time_ms_high", 1e3 * time.getQuantile(0.75)},
                       {"samples", static_cast<int64_t>(time.values.size())},
                       {"definition_flops", result.flops},
                       {"gflops", result.getGflops()},
                       {"peak_gflops", nullptr},
                       {"peak_fraction", nullptr},
                       {"bytes", result.bytes},
                       {"bandwidth_gbs", nullptr},
                       {"bandwidth_fraction", nullptr},
                       {"workspace_bytes", static_cast<int64_t>(result.workspaceBytes)},
                       {"compile_ms", result.compileMilliseconds}};
  if (result.device.empty()) {
    problem["peak_gflops"] = result.peak.getMedian();
    problem["peak_fraction"] = result.getPeakFraction();
    problem["bandwidth_gbs"] = result.bandwidth.getMedian();
    problem["bandwidth_fraction"] = result.getBandwidthFraction();
  } else {
    problem["device"] = result.device;
  }
  if (!result.isWhole)
    for (StringRef key : {"definition_flops", "gflops", "peak_fraction"})
      problem[key] = nullptr;
  if (goesOn(result.form)) {
    problem["state_bytes"] = result.stateBytes;
    problem["cache_bytes"] = result.cacheBytes;
  }
  if (!result.inPlace.values.empty()) {
    problem["in_place_gbs"] = result.inPlace.getMedian();
    problem["in_place_fraction"] = result.getInPlaceFraction();
  }
  json::Object document{{"problems", json::Array{std::move(problem)}}};
  os << llvm::formatv("{0:2}", json::Value(std::move(document))) << '\n';
}

static Expected<int> bench(const Arguments &arguments) {
  auto spec = loadSpec(arguments);
  if (!spec)
    return spec.takeError();
  Expected<BenchResult> result = runBench(arguments, **spec);
  if (!result)
    return result.takeError();
  std::string shape =
      llvm::join(llvm::map_range(arguments.getAssignments("shape"),
                                 [](const Assignment &a) { return a.first + "=" + a.second; }),
                 ",");
  if (arguments.has("json"))
    printJson(*result, shape, llvm::outs());
  else
    printText(*result, shape, llvm::outs());
  return 0;
}

Command mix::mixc::getBenchCommand() {
  return {
      "bench",
      {"FILE.mix"},
      "measure a kernel against the peaks of this machine",
      "Runs the kernel on random tensors, alternating with a loop of fused multiply-adds and with\n"
      "a stream through memory on the same threads, and prints medians (and the middle half of\n"
      "the times). Arithmetic is what the definition asks for, not what the form executes: the\n"
      "additions, multiplications and divisions of the spec, of pairs of tokens only where the\n"
      "mask holds. A step is measured against the memory that it must touch: --shape T=1 --cache\n"
      "8192 is one new token after 8192. With --target cuda or hip it is the GPU's own events "
      "that\n"
      "take the time, of many launches in a row; peaks of GPUs are not measured.",
      "mixc bench examples/gated_delta_rule.mix --shape B=1,H=32,T=1024,K=128,V=128",
      {getShapeOption(),
       getPackingOption(),
       {"layout", Option::Value, "LAYOUT", "bthd (default) or bhtd"},
       {"form", Option::Value, "FORM", "auto (default), chunked, recurrent, step or prefill"},
       getTargetOption(),
       {"cache", Option::Value, "N",
        "with --form step or prefill: earlier tokens (default: 1 or 0)"},
       getTypeOption(),
       getStateTypeOption(),
       {"json", Option::Flag, "", "print JSON (docs/json.md)"},
       getSetOption(),
       getMixerOption(),
       getThreadsOption()},
      bench};
}
