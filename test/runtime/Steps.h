//===- Steps.h - Calls of a step form, one after the other ------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TEST_RUNTIME_STEPS_H
#define MIXWRIGHT_TEST_RUNTIME_STEPS_H

#include "StepKernel.h"
#include "Tensor.h"
#include <algorithm>
#include <gtest/gtest.h>

/// Sequences of `weighted_sums`, and all that a caller keeps of them between calls.
class Steps {
public:
  struct Setup {
    mixwright_layout layout = MIXWRIGHT_BTHD;
    int64_t batch = 2, heads = 4, keyHeads = 2, tokens = 21;
    int64_t pageRows = 0;   ///< 0: caches in one piece
    int64_t pageGap = 0;    ///< elements between pages that belong to nobody
    int64_t recentRows = 0; ///< of the cache with a window; 0: as many as tokens
    int64_t slots = 0;      ///< > 0: of each sequence, in a pool of states
    bool packed = false, narrowPositions = false;
    unsigned seed = 0;
  };
  static constexpr int64_t K = WEIGHTED_K;

  Setup setup;
  Tensor x, k, o; ///< [B, tokens, H, K], whole sequences
  Tensor state, keys, recent;
  std::vector<int64_t> positions;

  explicit Steps(const Setup &given)
      : setup(given), x({given.batch, given.tokens, given.heads, K}, 0),
        k({given.batch, given.tokens, given.keyHeads, K}, 0),
        o({given.batch, given.tokens, given.heads, K}, NAN),
        state(isSingle() ? std::vector<int64_t>{K}
                         : std::vector<int64_t>{given.batch * std::max<int64_t>(1, given.slots),
                                                given.heads, K},
              NAN),
        keys(makeCache(given.tokens, given.keyHeads)),
        recent(makeCache(given.recentRows ? given.recentRows : given.tokens, given.heads)),
        positions(given.batch, 0), random(given.seed) {
    x.fillRandom(random);
    k.fillRandom(random);
    if (setup.slots > 0)
      slotTable = shuffle(setup.slots);
    if (setup.pageRows > 0) {
      keyTable = makeTable(given.tokens);
      recentTable = makeTable(given.recentRows ? given.recentRows : given.tokens);
    }
  }
  ~Steps() { mixwright_pool_destroy(pool); }
  Steps(const Steps &) = delete;

  void useThreads(int threads) { ASSERT_EQ(mixwright_pool_create(threads, &pool), MIXWRIGHT_OK); }

  bool isDone() const {
    return std::all_of(positions.begin(), positions.end(),
                       [&](int64_t position) { return position == setup.tokens; });
  }

  /// One call: `counts[b]` new tokens of each sequence, or as many as are left. If nothing
  /// is packed, all have the same number.
  mixwright_status run(std::vector<int64_t> counts) {
    int64_t total = 0;
    std::vector<int32_t> offsets{0};
    for (int64_t b = 0; b < setup.batch; ++b) {
      counts[b] = std::min(counts[b], setup.tokens - positions[b]);
      offsets.push_back(static_cast<int32_t>(total += counts[b]));
    }
    Tensor xNow = take(x, counts, total), kNow = take(k, counts, total),
           oNow = take(o, counts, total);
    std::vector<int64_t> before = positions;
    mixwright_status status = call(xNow, kNow, oNow, offsets);
    if (status != MIXWRIGHT_OK)
      return status;
    for (int64_t b = 0; b < setup.batch; ++b)
      for (int64_t t = 0; t < counts[b]; ++t)
        for (int64_t h = 0; h < setup.heads; ++h)
          for (int64_t d = 0; d < K; ++d)
            o.at({b, before[b] + t, h, d}) = oNow.at(place(b, t, h, d, offsets[b]));
    for (int64_t b = 0; b < setup.batch; ++b)
      positions[b] += counts[b];
    return status;
  }

  /// Calls of 1 to `most` tokens until all sequences are at their end.
  void runAll(int64_t most) {
    std::mt19937 lengths(setup.seed + 100);
    while (!isDone()) {
      std::vector<int64_t> counts(setup.batch, 1 + static_cast<int64_t>(lengths() % most));
      ASSERT_EQ(run(counts), MIXWRIGHT_OK) << mixwright_last_error();
    }
  }

  void expectDefinition() {
    for (int64_t b = 0; b < setup.batch; ++b)
      for (int64_t h = 0; h < setup.heads; ++h)
        for (int64_t d = 0; d < K; ++d) {
          double running = 3, weighted = 0;
          for (int64_t t = 0; t < setup.tokens; ++t) {
            running = running / 2 + x.at({b, t, h, d});
            weighted +=
                static_cast<double>(t + 1) * k.at({b, t, h / (setup.heads / setup.keyHeads), d});
            double recentSum = 0;
            for (int64_t j = std::max<int64_t>(0, t - WEIGHTED_WINDOW + 1); j <= t; ++j)
              recentSum += x.at({b, j, h, d});
            ASSERT_NEAR(o.at({b, t, h, d}), running + weighted + recentSum, 1e-9)
                << "b=" << b << " t=" << t << " h=" << h << " d=" << d;
          }
          ASSERT_NEAR(state.memory[(getSlot(b) * setup.heads + h) * K + d], running, 1e-12);
        }
  }

  /// The slot that a sequence goes on from.
  int64_t getSlot(int64_t b) const {
    return setup.slots > 0 ? slotTable.pages[b * setup.slots] : b;
  }
  /// Goes on from the state after new token `tokens` of the last call, which had
  /// `counts[b]`: those after it are taken back.
  void goOnAfter(int64_t b, int64_t tokens, int64_t count) {
    positions[b] -= count - tokens;
    std::swap(slotTable.pages[b * setup.slots], slotTable.pages[b * setup.slots + tokens]);
  }

  void copyTokens(int64_t from, int64_t to, int64_t count) {
    for (Tensor *tensor : {&x, &k})
      std::copy_n(tensor->memory.begin() + from * tensor->strides[0], count * tensor->strides[1],
                  tensor->memory.begin() + to * tensor->strides[0]);
  }
  void takeTokens(const Steps &other, int64_t sequence) {
    for (auto [to, from] : {std::pair(&x, &other.x), std::pair(&k, &other.k)})
      std::copy_n(from->memory.begin() + sequence * from->strides[0], to->memory.size(),
                  to->memory.begin());
  }
  void sharePages(int64_t from, int64_t to, int64_t count) {
    for (Table *table : {&keyTable, &recentTable})
      std::copy_n(table->pages.begin() + from * table->shape[1], count,
                  table->pages.begin() + to * table->shape[1]);
  }
  /// Whether nothing was written between the pages.
  bool gapsAreIntact() const {
    for (const Tensor *cache : {&keys, &recent})
      for (int64_t page = 0; page < cache->shape[0]; ++page)
        for (int64_t n = cache->strides[0] - setup.pageGap; n < cache->strides[0]; ++n)
          if (!std::isnan(cache->memory[page * cache->strides[0] + n]))
            return false;
    return true;
  }

  /// The tensors and options of the next call, for tests that break them.
  struct Table {
    std::vector<int32_t> pages;
    int64_t shape[2] = {0, 0};
    DLTensor view = {};
  };
  Table keyTable, recentTable, slotTable;
  mixwright_options options = {};

private:
  bool isSingle() const { return setup.layout == MIXWRIGHT_SINGLE; }

  /// Memory for `rows` rows of each sequence, all NaN.
  Tensor makeCache(int64_t rows, int64_t heads) const {
    int64_t outer = setup.batch;
    if (setup.pageRows > 0) {
      outer *= (rows + setup.pageRows - 1) / setup.pageRows;
      rows = setup.pageRows;
    }
    std::vector<int64_t> shape = {outer, rows, heads, K};
    if (setup.layout == MIXWRIGHT_BHTD)
      std::swap(shape[1], shape[2]);
    if (isSingle())
      shape =
          setup.pageRows > 0 ? std::vector<int64_t>{outer, rows, K} : std::vector<int64_t>{rows, K};
    Tensor cache(shape, NAN);
    if (setup.pageGap > 0) {
      cache.strides[0] += setup.pageGap;
      cache.memory.assign(outer * cache.strides[0], NAN);
      cache.view.data = cache.memory.data();
    }
    return cache;
  }

  /// Pages of all sequences in random order.
  Table makeTable(int64_t rows) { return shuffle((rows + setup.pageRows - 1) / setup.pageRows); }

  /// Places of all sequences in random order.
  Table shuffle(int64_t pages) {
    Table table;
    table.shape[0] = setup.batch;
    table.shape[1] = pages;
    table.pages.resize(setup.batch * pages);
    std::iota(table.pages.begin(), table.pages.end(), 0);
    std::shuffle(table.pages.begin(), table.pages.end(), random);
    return table;
  }

  static DLTensor describe(void *data, int bits, int ndim, int64_t *shape) {
    DLTensor view = {};
    view.data = data;
    view.device = {kDLCPU, 0};
    view.ndim = ndim;
    view.dtype = {kDLInt, static_cast<uint8_t>(bits), 1};
    view.shape = shape;
    return view;
  }

  std::vector<int64_t> place(int64_t b, int64_t t, int64_t h, int64_t d, int64_t offset) const {
    if (isSingle())
      return {t, d};
    if (setup.packed)
      return {offset + t, h, d};
    return setup.layout == MIXWRIGHT_BHTD ? std::vector<int64_t>{b, h, t, d}
                                          : std::vector<int64_t>{b, t, h, d};
  }

  /// The new tokens of all sequences as the call takes them.
  Tensor take(Tensor &whole, const std::vector<int64_t> &counts, int64_t total) {
    int64_t heads = whole.shape[2];
    std::vector<int64_t> shape = {setup.batch, counts[0], heads, K};
    if (setup.layout == MIXWRIGHT_BHTD)
      std::swap(shape[1], shape[2]);
    if (isSingle())
      shape = {counts[0], K};
    if (setup.packed)
      shape = {total, heads, K};
    Tensor tensor(shape, NAN);
    int64_t offset = 0;
    for (int64_t b = 0; b < setup.batch; offset += counts[b++])
      for (int64_t t = 0; t < counts[b]; ++t)
        for (int64_t h = 0; h < heads; ++h)
          for (int64_t d = 0; d < K; ++d)
            tensor.at(place(b, t, h, d, offset)) = whole.at({b, positions[b] + t, h, d});
    return tensor;
  }

  mixwright_status call(Tensor &xNow, Tensor &kNow, Tensor &oNow, std::vector<int32_t> &offsets) {
    std::vector<int32_t> narrow(positions.begin(), positions.end());
    int64_t sequences = setup.batch, numOffsets = setup.batch + 1;
    DLTensor position = setup.narrowPositions
                            ? describe(narrow.data(), 32, !isSingle(), &sequences)
                            : describe(positions.data(), 64, !isSingle(), &sequences);
    DLTensor starts = describe(offsets.data(), 32, 1, &numOffsets);
    mixwright_packing packing = {nullptr, &starts};
    keyTable.view = describe(keyTable.pages.data(), 32, 2, keyTable.shape);
    recentTable.view = describe(recentTable.pages.data(), 32, 2, recentTable.shape);
    mixwright_block_table tables[] = {{"keys", &keyTable.view}, {"recent", &recentTable.view}};
    options.layout = setup.layout;
    options.packings = &packing;
    options.num_packings = setup.packed;
    options.block_tables = tables;
    options.num_block_tables = setup.pageRows > 0 ? 2 : 0;
    slotTable.view = describe(slotTable.pages.data(), 32, 2, slotTable.shape);
    options.state_slots = setup.slots > 0 ? &slotTable.view : nullptr;
    options.pool = pool;
    DLTensor *views[] = {&xNow.view, &kNow.view,   &position, &state.view,
                         &keys.view, &recent.view, &oNow.view};
    return mixwright_run(&weighted_sums, views, 7, &options);
  }

  std::mt19937 random;
  mixwright_pool *pool = nullptr;
};

#endif // MIXWRIGHT_TEST_RUNTIME_STEPS_H
