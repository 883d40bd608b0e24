//===- Gpu.cpp - Kernels on the GPUs of this machine ------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/driver/Gpu.h"
#include "codegen/GpuChips.h"

using namespace mix;
using namespace mix::driver;
using llvm::createStringError;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

static Error check(mixwright_status status) {
  return status == MIXWRIGHT_OK ? Error::success() : createStringError(mixwright_last_error());
}

//===----------------------------------------------------------------------===//
// Devices
//===----------------------------------------------------------------------===//

namespace {

/// "emu:cuda:1"
struct Target {
  DLDevice device;
  bool isEmulated;
};

} // namespace

static std::optional<Target> parseTarget(StringRef text) {
  bool isEmulated = text.consume_front("emu:");
  auto [driver, number] = text.split(':');
  int32_t ordinal = 0;
  if ((driver != "cuda" && driver != "hip") ||
      (text.contains(':') && (number.getAsInteger(10, ordinal) || ordinal < 0)))
    return std::nullopt;
  return Target{{driver == "cuda" ? kDLCUDA : kDLROCM, ordinal}, isEmulated};
}

bool Gpu::isTarget(StringRef target) { return parseTarget(target).has_value(); }

/// The row of the table for a chip: its own, that with all instructions of the chip first, else
/// that of the highest architecture of NVIDIA below whose kernels later chips run too.
static Expected<std::string> chooseChip(StringRef name) {
  for (const std::string &own : {name.str() + "a", name.str()})
    if (findGpuChip(own))
      return own;
  auto getArchitecture = [](StringRef name) {
    int64_t number = 0; // "sm_90a" has none: no other chip runs its kernels
    return name.consume_front("sm_") && !name.getAsInteger(10, number) ? number : 0;
  };
  std::string best;
  for (const GpuChip &row : getGpuChips())
    if (getArchitecture(row.name) <= getArchitecture(name) &&
        getArchitecture(row.name) > getArchitecture(best))
      best = row.name;
  if (best.empty())
    return createStringError("the device is " + name + ", and kernels are compiled for " +
                             getGpuChipNames() + " only");
  return best;
}

Expected<std::unique_ptr<Gpu>> Gpu::open(StringRef text) {
  std::optional<Target> target = parseTarget(text);
  if (!target)
    return createStringError("expected cuda or hip, or cuda:N for the device N, got '" + text +
                             "'");
  std::unique_ptr<Gpu> gpu(new Gpu);
  gpu->which = target->device;
  gpu->isFake = target->isEmulated;
  if (Error error = ::check(mw_get_device(gpu->which, &gpu->device)))
    return std::move(error);
  Expected<std::string> chip = chooseChip(gpu->device->chip);
  if (!chip)
    return chip.takeError();
  gpu->chip = std::move(*chip);
  if (Error error = ::check(mw_enter_device(gpu->device, &gpu->before)))
    return std::move(error);
  gpu->isCurrent = true;
  return gpu;
}

Gpu::~Gpu() {
  if (isCurrent)
    mw_leave_device(device, before);
}

Error Gpu::check(int result, const char *what) const {
  return result ? ::check(mw_fail_driver(device, result, what)) : Error::success();
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

Expected<void *> GpuCall::allocate(size_t bytes) {
  void *address = nullptr;
  if (Error error = gpu.check(gpu.getDriver().allocate(&address, bytes), "has no memory"))
    return std::move(error);
  memory.push_back(address);
  return address;
}

Expected<DLTensor> GpuCall::copyTensor(const DLTensor &tensor) {
  DLTensor copy = tensor;
  copy.device = gpu.getDevice();
  size_t bytes = getBytes(copy);
  if (bytes == 0)
    return copy;
  Expected<void *> address = allocate(bytes);
  if (!address)
    return address.takeError();
  copy.data = *address;
  if (Error error = gpu.check(gpu.getDriver().copy_to_device(*address, tensor.data, bytes),
                              "cannot be copied to"))
    return std::move(error);
  return copy;
}

Error GpuCall::copyTensors() {
  for (const DLTensor *view : bound.getViews()) {
    if (!view) {
      views.push_back(nullptr);
      continue;
    }
    Expected<DLTensor> copy = copyTensor(*view);
    if (!copy)
      return copy.takeError();
    views.push_back(&copies.emplace_back(*copy));
  }
  return Error::success();
}

Error GpuCall::copyTables() {
  mixwright_options given = bound.getOptions();
  for (mixwright_packing packing : llvm::ArrayRef(given.packings, given.num_packings)) {
    Expected<DLTensor> copy = copyTensor(*packing.cu_seqlens);
    if (!copy)
      return copy.takeError();
    packing.cu_seqlens = &copies.emplace_back(*copy);
    packings.push_back(packing);
  }
  for (mixwright_block_table table : llvm::ArrayRef(given.block_tables, given.num_block_tables)) {
    Expected<DLTensor> copy = copyTensor(*table.pages);
    if (!copy)
      return copy.takeError();
    table.pages = &copies.emplace_back(*copy);
    blockTables.push_back(table);
  }
  options.layout = given.layout;
  options.packings = packings.data();
  options.num_packings = given.num_packings;
  options.block_tables = blockTables.data();
  options.num_block_tables = given.num_block_tables;
  options.most_tokens = bound.getMostTokens();
  return Error::success();
}

Error GpuCall::makeWorkspace() {
  if (Error error = ::check(mixwright_launch_workspace_bytes(
          &kernel, views.data(), int32_t(views.size()), &options, &options.workspace_bytes)))
    return error;
  if (options.workspace_bytes == 0)
    return Error::success();
  Expected<void *> address = allocate(options.workspace_bytes);
  if (!address)
    return address.takeError();
  options.workspace = *address;
  return Error::success();
}

Expected<std::unique_ptr<GpuCall>> GpuCall::create(const Gpu &gpu, const mixwright_kernel &kernel,
                                                   BoundKernel &bound) {
  std::unique_ptr<GpuCall> call(new GpuCall(gpu, kernel, bound));
  if (Error error = call->copyTensors())
    return std::move(error);
  if (Error error = call->copyTables())
    return std::move(error);
  if (Error error = call->makeWorkspace())
    return std::move(error);
  if (Error error = ::check(mixwright_prepare(&kernel, gpu.getDevice())))
    return std::move(error);
  return call;
}

GpuCall::~GpuCall() {
  for (void *event : events)
    gpu.getDriver().destroy_event(event);
  for (void *address : memory)
    gpu.getDriver().release(address);
}

Error GpuCall::launch() {
  return ::check(mixwright_launch(&kernel, views.data(), int32_t(views.size()), &options));
}

Error GpuCall::run() {
  if (Error error = launch())
    return error;
  if (Error error =
          gpu.check(gpu.getDriver().wait_for_stream(options.stream), "could not run the kernel"))
    return error;
  for (auto [host, copy] : llvm::zip_equal(bound.getViews(), views))
    if (copy && copy->data && getBytes(*copy) > 0)
      if (Error error =
              gpu.check(gpu.getDriver().copy_to_host(host->data, copy->data, getBytes(*copy)),
                        "cannot be copied from"))
        return error;
  return Error::success();
}

Expected<double> GpuCall::measure(int64_t repeats) {
  const mw_driver &driver = gpu.getDriver();
  while (events.size() < 2) {
    void *event = nullptr;
    if (Error error = gpu.check(driver.create_event(&event, 0), "makes no event"))
      return std::move(error);
    events.push_back(event);
  }
  if (Error error = gpu.check(driver.record_event(events[0], options.stream), "records no event"))
    return std::move(error);
  for (int64_t n = 0; n < repeats; ++n)
    if (Error error = launch())
      return std::move(error);
  float milliseconds = 0;
  if (Error error = gpu.check(driver.record_event(events[1], options.stream), "records no event"))
    return std::move(error);
  if (Error error = gpu.check(driver.wait_for_stream(options.stream), "could not run the kernel"))
    return std::move(error);
  if (Error error =
          gpu.check(driver.get_elapsed(&milliseconds, events[0], events[1]), "has no time"))
    return std::move(error);
  return 1e-3 * milliseconds / static_cast<double>(repeats);
}

Expected<CallResult> mix::driver::runOnGpu(const Gpu &gpu, const mixwright_kernel &kernel,
                                           const Signature &signature, const Call &call) {
  BoundKernel bound(kernel, signature, call);
  bound.poisonResults();
  auto onGpu = GpuCall::create(gpu, kernel, bound);
  if (!onGpu)
    return onGpu.takeError();
  if (Error error = (*onGpu)->run())
    return std::move(error);
  return bound.takeResults();
}
