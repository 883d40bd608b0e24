//===- MachinePeak.cpp - What the machine can do right now ------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/driver/MachinePeak.h"
#include <atomic>
#include <chrono>
#include <functional>
#include <thread>
#include <vector>

using namespace mix::driver;

/// The work of a measurement is split into pieces that threads take as they come, as
/// the tasks of a kernel are: a thread that others slow down does not hold up the rest.
static constexpr int64_t numPieces = 64;

/// Runs `body(piece)` for every piece and returns the seconds until the last is done.
static double timePieces(int threads, const std::function<void(int64_t)> &body,
                         int64_t pieces = numPieces) {
  std::atomic<int64_t> next{0};
  auto work = [&] {
    for (int64_t piece = next++; piece < pieces; piece = next++)
      body(piece);
  };
  auto start = std::chrono::steady_clock::now();
  std::vector<std::thread> others;
  for (int thread = 1; thread < threads; ++thread)
    others.emplace_back(work);
  work();
  for (std::thread &other : others)
    other.join();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

//===----------------------------------------------------------------------===//
// Fused multiply-adds
//===----------------------------------------------------------------------===//

/// Enough accumulators to hide the latency of two units of five cycles.
static constexpr int numChains = 12;

/// The loop for vectors of `bytes` bytes. Inlined into functions that enable the
/// instructions, so that the vectors stay whole.
template <typename Element, int bytes>
[[gnu::always_inline]] static inline Element runFma(int64_t rounds) {
  typedef Element Vector [[gnu::vector_size(bytes)]];
  Vector chains[numChains], factor, term;
  for (size_t lane = 0; lane < bytes / sizeof(Element); ++lane) {
    factor[lane] = static_cast<Element>(0.999);
    term[lane] = static_cast<Element>(0.001);
    for (Vector &chain : chains)
      chain[lane] = static_cast<Element>(1);
  }
  for (int64_t round = 0; round < rounds; ++round) {
#pragma clang loop unroll(full)
    for (int chain = 0; chain < numChains; ++chain)
      chains[chain] = __builtin_elementwise_fma(chains[chain], factor, term);
    // Keeps the compiler from seeing that the values converge.
    asm volatile("" : "+m"(factor), "+m"(term));
  }
  Element sum = 0;
  for (const Vector &chain : chains)
    sum += chain[0];
  return sum;
}

namespace {

/// A loop of fused multiply-adds and the operations of one of its rounds.
struct FmaLoop {
  double (*run)(int64_t rounds);
  double operations;
};

} // namespace

#if defined(__x86_64__)
template <typename Element> [[gnu::target("avx512f,fma")]] static double runWide(int64_t rounds) {
  return runFma<Element, 64>(rounds);
}
template <typename Element> [[gnu::target("avx2,fma")]] static double runMiddle(int64_t rounds) {
  return runFma<Element, 32>(rounds);
}

/// The same with products of pairs of bfloat16, which are added to f32.
[[gnu::target("avx512f,avx512bf16")]] static double runPairs(int64_t rounds) {
  typedef float Sums [[gnu::vector_size(64)]];
  typedef __bf16 Pairs [[gnu::vector_size(64)]];
  Sums chains[numChains] = {};
  Pairs factor = {}, term = {};
  for (int64_t round = 0; round < rounds; ++round) {
#pragma clang loop unroll(full)
    for (int chain = 0; chain < numChains; ++chain)
      chains[chain] = __builtin_ia32_dpbf16ps_512(chains[chain], factor, term);
    asm volatile("" : "+m"(factor), "+m"(term));
  }
  float sum = 0;
  for (const Sums &chain : chains)
    sum += chain[0];
  return sum;
}
#endif

template <typename Element> static double runNarrow(int64_t rounds) {
  return runFma<Element, 16>(rounds);
}

template <typename Element> static FmaLoop chooseLoop() {
  auto operations = [](int bytes) { return 2.0 * numChains * bytes / sizeof(Element); };
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f"))
    return {runWide<Element>, operations(64)};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return {runMiddle<Element>, operations(32)};
#endif
  return {runNarrow<Element>, operations(16)};
}

static FmaLoop chooseLoop(ElementType type) {
#if defined(__x86_64__)
  if (type == ElementType::BF16 && __builtin_cpu_supports("avx512bf16"))
    return {runPairs, 4.0 * numChains * 16};
#endif
  return getComputeType(type) == ElementType::F32 ? chooseLoop<float>() : chooseLoop<double>();
}

double mix::driver::measureFmaPeak(ElementType type, int threads) {
  FmaLoop loop = chooseLoop(type);
  constexpr int64_t rounds = 1 << 14;
  double seconds = timePieces(threads, [&](int64_t) {
    volatile double sink = loop.run(rounds * threads);
    (void)sink;
  });
  return loop.operations * static_cast<double>(numPieces * rounds * threads) / seconds * 1e-9;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

/// Elements of each array: 64 MiB, beyond the last cache of current processors' share.
static constexpr int64_t streamElements = 1 << 24;

StreamBandwidth::StreamBandwidth(int threads)
    : threads(threads), a(ElementType::F32, {streamElements}),
      b(ElementType::F32, {streamElements}), c(ElementType::F32, {streamElements}) {
  b.fill(1);
  c.fill(2);
}

StreamBandwidth::~StreamBandwidth() = default;

double StreamBandwidth::measure() {
  auto *to = reinterpret_cast<float *>(a.getData());
  auto *first = reinterpret_cast<const float *>(b.getData());
  auto *second = reinterpret_cast<const float *>(c.getData());
  double seconds = timePieces(threads, [&](int64_t piece) {
    int64_t begin = streamElements * piece / numPieces;
    int64_t end = streamElements * (piece + 1) / numPieces;
    for (int64_t n = begin; n < end; ++n)
      to[n] = first[n] + 0.5f * second[n];
  });
  return 3.0 * streamElements * sizeof(float) / seconds * 1e-9;
}

/// Updates [begin, end) in vectors of `bytes` bytes, as a kernel updates a state. Inlined like
/// `runFma`.
template <int bytes>
[[gnu::always_inline]] static inline void updateInPlace(float *data, int64_t begin, int64_t end) {
  typedef float Vector [[gnu::vector_size(bytes), gnu::aligned(alignof(float))]];
  constexpr int64_t lanes = bytes / sizeof(float), together = 8;
  int64_t n = begin;
  for (; n + together * lanes <= end; n += together * lanes) {
#pragma clang loop unroll(full)
    for (int64_t vector = 0; vector < together; ++vector) {
      auto *at = reinterpret_cast<Vector *>(data + n + vector * lanes);
      *at = 0.5f * *at + 0.5f;
    }
  }
  for (; n < end; ++n)
    data[n] = 0.5f * data[n] + 0.5f;
}

using Update = void (*)(float *data, int64_t begin, int64_t end);

#if defined(__x86_64__)
[[gnu::target("avx512f,fma")]] static void updateWide(float *data, int64_t begin, int64_t end) {
  updateInPlace<64>(data, begin, end);
}
[[gnu::target("avx2,fma")]] static void updateMiddle(float *data, int64_t begin, int64_t end) {
  updateInPlace<32>(data, begin, end);
}
#endif

static void updateNarrow(float *data, int64_t begin, int64_t end) {
  updateInPlace<16>(data, begin, end);
}

static Update chooseUpdate() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f"))
    return updateWide;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return updateMiddle;
#endif
  return updateNarrow;
}

InPlaceBandwidth::InPlaceBandwidth(int64_t bytes, int threads)
    : threads(threads),
      a(ElementType::F32, {std::max<int64_t>(threads, bytes / getTypeBytes(ElementType::F32))}) {
  a.fill(1);
}

double InPlaceBandwidth::measure() {
  auto *data = reinterpret_cast<float *>(a.getData());
  Update update = chooseUpdate();
  constexpr int64_t leastBytes = 1 << 26; // a pass of a small array takes no time
  int64_t rounds = 1 + leastBytes / a.getBytes();
  double seconds = timePieces(
      threads,
      [&](int64_t part) {
        int64_t begin = a.getCount() * part / threads, end = a.getCount() * (part + 1) / threads;
        for (int64_t round = 0; round < rounds; ++round) {
          update(data, begin, end);
          asm volatile("" ::: "memory"); // every round is done
        }
      },
      threads);
  return 2.0 * static_cast<double>(rounds * a.getBytes()) / seconds * 1e-9;
}
