//===- PackedTest.cpp - Packed sequences are as good as alone -------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tensor.h"
#include <cstring>
#include <gtest/gtest.h>

namespace {

constexpr int64_t K = Call::K;

/// cu_seqlens in memory, and the options that pass it on.
template <typename Int> struct Offsets {
  std::vector<Int> memory;
  int64_t shape;
  DLTensor view = {};
  mixwright_packing packing = {nullptr, &view};
  mixwright_options options = {};

  explicit Offsets(std::vector<Int> offsets)
      : memory(std::move(offsets)), shape(static_cast<int64_t>(memory.size())) {
    view.data = memory.data();
    view.device = {kDLCPU, 0};
    view.ndim = 1;
    view.dtype = {kDLInt, 8 * sizeof(Int), 1};
    view.shape = &shape;
    options.packings = &packing;
    options.num_packings = 1;
  }
  Offsets(const Offsets &) = delete;

  int64_t segments() const { return shape - 1; }
  int64_t tokens() const { return memory.back(); }
};

/// A packed call of `block_sums` in layout BTHD, inputs random, outputs NaN.
struct Pack {
  Tensor x, g, w, initial, o, final;

  Pack(int64_t tokens, int64_t segments, int64_t heads, int64_t xHeads, unsigned seed)
      : x({tokens, xHeads, K}, 0), g({tokens, heads}, 0), w({heads, K}, 0),
        initial({segments, heads, K}, 0), o({tokens, heads, K}, NAN),
        final({segments, heads, K}, NAN) {
    std::mt19937 random(seed);
    for (Tensor *tensor : {&x, &g, &w, &initial})
      tensor->fillRandom(random);
  }

  std::vector<DLTensor *> views() {
    return {&x.view, &g.view, &w.view, &initial.view, &o.view, &final.view};
  }
  mixwright_status run(const mixwright_options &options) {
    return mixwright_run(&block_sums, views().data(), 6, &options);
  }

  /// A segment of tokens [begin, end) in a call of its own.
  Call takeAlone(int64_t segment, int64_t begin, int64_t end) {
    Call call(1, end - begin, o.shape[1], x.shape[1], o.shape[1], 0);
    auto take = [](Tensor &to, const Tensor &from, int64_t first) {
      std::copy_n(from.memory.begin() + first * from.strides[0], to.memory.size(),
                  to.memory.begin());
    };
    take(call.x, x, begin);
    take(call.g, g, begin);
    take(call.w, w, 0);
    take(call.initial, initial, segment);
    return call;
  }
};

/// `part` is what stands in `whole` from row `first` on, bit by bit.
bool isPartOf(const Tensor &part, const Tensor &whole, int64_t first) {
  return part.memory.empty() ||
         std::memcmp(part.memory.data(), whole.memory.data() + first * whole.strides[0],
                     part.memory.size() * sizeof(double)) == 0;
}

template <typename Int> void expectAloneBits(Pack &pack, const Offsets<Int> &offsets) {
  for (int64_t n = 0; n < offsets.segments(); ++n) {
    Call alone = pack.takeAlone(n, offsets.memory[n], offsets.memory[n + 1]);
    ASSERT_EQ(alone.run(), MIXWRIGHT_OK) << mixwright_last_error();
    EXPECT_TRUE(isPartOf(alone.o, pack.o, offsets.memory[n])) << "segment " << n;
    EXPECT_TRUE(isPartOf(alone.final, pack.final, n)) << "segment " << n;
  }
}

// Lengths 5, 0, 1, 33, 8, 0: empty, one token, whole blocks and not.
const std::vector<int64_t> lengths{0, 5, 5, 6, 39, 47, 47};

TEST(Packed, EverySegmentAsAlone) {
  Offsets<int64_t> offsets(lengths);
  Pack pack(47, 6, 4, 2, 1);
  ASSERT_EQ(pack.run(offsets.options), MIXWRIGHT_OK) << mixwright_last_error();
  expectAloneBits(pack, offsets);
}

TEST(Packed, OffsetsOfEitherWidthAndStrided) {
  Offsets<int32_t> offsets({0, 99, 3, 99, 7});
  int64_t stride = 2;
  offsets.shape = 3;
  offsets.view.strides = &stride;
  offsets.packing.axis = "T";
  Pack pack(7, 2, 2, 2, 2);
  ASSERT_EQ(pack.run(offsets.options), MIXWRIGHT_OK) << mixwright_last_error();
  expectAloneBits(pack, Offsets<int32_t>({0, 3, 7}));
}

TEST(Packed, NoSegmentsAndNoTokens) {
  Offsets<int64_t> none({0}), empty({0, 0, 0});
  EXPECT_EQ(Pack(0, 0, 2, 2, 3).run(none.options), MIXWRIGHT_OK) << mixwright_last_error();
  Pack pack(0, 2, 2, 2, 3);
  ASSERT_EQ(pack.run(empty.options), MIXWRIGHT_OK) << mixwright_last_error();
  EXPECT_EQ(pack.final.memory, pack.initial.memory);
}

TEST(Packed, SameBitsWhateverTheThreadsAndTheOrder) {
  Offsets<int64_t> offsets(lengths);
  Pack pack(47, 6, 3, 3, 4);
  ASSERT_EQ(pack.run(offsets.options), MIXWRIGHT_OK);
  for (int threads : {1, 2, 5}) {
    mixwright_pool *pool = nullptr;
    ASSERT_EQ(mixwright_pool_create(threads, &pool), MIXWRIGHT_OK);
    Pack again(47, 6, 3, 3, 4);
    offsets.options.pool = pool;
    ASSERT_EQ(again.run(offsets.options), MIXWRIGHT_OK);
    mixwright_pool_destroy(pool);
    EXPECT_TRUE(isPartOf(again.o, pack.o, 0));
    EXPECT_TRUE(isPartOf(again.final, pack.final, 0));
  }
}

TEST(Packed, NanStaysInItsSegment) {
  Offsets<int64_t> offsets(lengths);
  Pack clean(47, 6, 2, 2, 5), dirty(47, 6, 2, 2, 5);
  for (int64_t t = 6; t < 39; ++t)
    for (int64_t k = 0; k < K; ++k)
      dirty.x.at({t, 0, k}) = dirty.x.at({t, 1, k}) = NAN;
  ASSERT_EQ(clean.run(offsets.options), MIXWRIGHT_OK);
  ASSERT_EQ(dirty.run(offsets.options), MIXWRIGHT_OK);
  for (int64_t t = 0; t < 47; ++t)
    for (int64_t k = 0; k < K; ++k) {
      if (t >= 6 && t < 39)
        EXPECT_TRUE(std::isnan(dirty.o.at({t, 1, k}))) << t;
      else
        EXPECT_EQ(dirty.o.at({t, 1, k}), clean.o.at({t, 1, k})) << t;
    }
}

TEST(Packed, AbsentStates) {
  Offsets<int64_t> offsets(lengths);
  Pack pack(47, 6, 2, 2, 6);
  pack.initial = Tensor(pack.initial.shape, 1); // what the kernel starts from
  ASSERT_EQ(pack.run(offsets.options), MIXWRIGHT_OK);
  Pack absent(47, 6, 2, 2, 6);
  auto views = absent.views();
  views[3] = views[5] = nullptr;
  ASSERT_EQ(mixwright_run(&block_sums, views.data(), 6, &offsets.options), MIXWRIGHT_OK);
  EXPECT_TRUE(isPartOf(absent.o, pack.o, 0));
  EXPECT_TRUE(std::isnan(absent.final.at({0, 0, 0})));
}

TEST(Packed, HeadsBeforeTokensAndSingleHead) {
  Offsets<int64_t> offsets(lengths);
  Pack pack(47, 6, 3, 3, 7), other(47, 6, 3, 3, 7);
  ASSERT_EQ(pack.run(offsets.options), MIXWRIGHT_OK);
  for (Tensor *tensor : {&other.x, &other.g, &other.o}) {
    std::swap(tensor->shape[0], tensor->shape[1]);
    std::swap(tensor->strides[0], tensor->strides[1]);
  }
  offsets.options.layout = MIXWRIGHT_BHTD;
  ASSERT_EQ(other.run(offsets.options), MIXWRIGHT_OK) << mixwright_last_error();
  EXPECT_EQ(std::memcmp(other.o.memory.data(), pack.o.memory.data(), 47 * 3 * K * 8), 0);

  Pack one(47, 6, 1, 1, 8);
  Tensor x = one.x, g = one.g, w = one.w, initial = one.initial, o = one.o, final = one.final;
  ASSERT_EQ((offsets.options.layout = MIXWRIGHT_BTHD, one.run(offsets.options)), MIXWRIGHT_OK);
  for (Tensor *tensor : {&x, &g, &initial, &o, &final}) {
    tensor->shape.erase(tensor->shape.begin() + 1);
    tensor->strides.erase(tensor->strides.begin() + 1);
    *tensor = Tensor(*tensor);
  }
  w.shape.erase(w.shape.begin());
  w.strides.erase(w.strides.begin());
  w = Tensor(w);
  DLTensor *views[] = {&x.view, &g.view, &w.view, &initial.view, &o.view, &final.view};
  offsets.options.layout = MIXWRIGHT_SINGLE;
  ASSERT_EQ(mixwright_run(&block_sums, views, 6, &offsets.options), MIXWRIGHT_OK)
      << mixwright_last_error();
  EXPECT_TRUE(isPartOf(o, one.o, 0));
  EXPECT_TRUE(isPartOf(final, one.final, 0));
}

TEST(Packed, WorkspaceOfEverySegment) {
  Offsets<int64_t> offsets({0, 9, 9, 10});
  Pack pack(10, 3, 2, 2, 9);
  size_t bytes = 0;
  ASSERT_EQ(
      mixwright_workspace_bytes(&block_sums, pack.views().data(), 6, &offsets.options, &bytes),
      MIXWRIGHT_OK);
  // Per head: 9 x 3 and 3 x 3 doubles; none; 1 x 3 and 1 x 3; each rounded up to 64 bytes.
  EXPECT_EQ(bytes, 2u * (256u + 128u + 64u + 64u));

  auto *memory = static_cast<unsigned char *>(std::aligned_alloc(64, bytes + 64));
  std::memset(memory, 0xff, bytes + 64);
  offsets.options.workspace = memory;
  offsets.options.workspace_bytes = bytes;
  ASSERT_EQ(pack.run(offsets.options), MIXWRIGHT_OK) << mixwright_last_error();
  for (size_t n = 0; n < 64; ++n)
    EXPECT_EQ(memory[bytes + n], 0xff) << "memory behind the end has changed";
  std::free(memory);
  expectAloneBits(pack, offsets);
}

/// `block_sums` whose param is declared over a token axis of its own.
struct TableKernel {
  mixwright_space spaces[3] = {block_sums.spaces[0], block_sums.spaces[1], {"W", -1, 0}};
  std::vector<mixwright_arg> args{block_sums.args, block_sums.args + block_sums.num_args};
  mixwright_kernel kernel = block_sums;

  TableKernel() {
    args[2].dims[0] = {"W", -1, 2};
    kernel.args = args.data();
    kernel.spaces = spaces;
    kernel.num_spaces = 3;
  }
};

TEST(Packed, TableOfAParamIsShared) {
  TableKernel table;
  Offsets<int64_t> offsets(lengths);
  Pack pack(47, 6, 4, 2, 10);
  ASSERT_EQ(mixwright_run(&table.kernel, pack.views().data(), 6, &offsets.options), MIXWRIGHT_OK)
      << mixwright_last_error();
  expectAloneBits(pack, offsets);
  offsets.packing.axis = "W";
  EXPECT_EQ(mixwright_run(&table.kernel, pack.views().data(), 6, &offsets.options),
            MIXWRIGHT_INVALID_ARGUMENT);
  EXPECT_STREQ(mixwright_last_error(),
               "cu_seqlens: axis W belongs to params alone, which all sequences share");
}

//===----------------------------------------------------------------------===//
// Refused
//===----------------------------------------------------------------------===//

struct PackedReject : testing::Test {
  Offsets<int64_t> offsets{{0, 4, 9}};
  Pack pack{9, 2, 2, 2, 1};
  mixwright_kernel kernel = block_sums;

  void TearDown() override {
    for (double x : pack.o.memory)
      ASSERT_TRUE(std::isnan(x)) << "a refused call has written its output";
  }
  void expect(const char *message) {
    EXPECT_EQ(mixwright_run(&kernel, pack.views().data(), 6, &offsets.options),
              MIXWRIGHT_INVALID_ARGUMENT);
    EXPECT_STREQ(mixwright_last_error(), message);
  }
};

TEST_F(PackedReject, ValuesOfOffsets) {
  offsets.memory = {1, 4, 9};
  offsets.view.data = offsets.memory.data();
  expect("cu_seqlens of T: expected 0 at the start, got 1");
  offsets.memory = {0, 12, 9};
  offsets.view.data = offsets.memory.data();
  expect("cu_seqlens of T: element 2 is 9, less than 12 before it");
  offsets.memory = {0, 4, 8};
  offsets.view.data = offsets.memory.data();
  expect("input 'x': axis T has size 9, but 8 in 'cu_seqlens'");
}

TEST_F(PackedReject, FormOfOffsets) {
  DLTensor good = offsets.view;
  offsets.view.ndim = 2;
  expect("cu_seqlens of T: expected 1 dimension, got 2");
  offsets.view = good;
  offsets.view.dtype = {kDLFloat, 64, 1};
  expect("cu_seqlens of T: expected int32 or int64, got DLPack type code 2 with 64 bits and 1 "
         "lanes");
  offsets.view = good;
  offsets.view.device.device_type = kDLCUDA;
  expect("cu_seqlens of T: expected memory of the CPU, got memory of CUDA device 0");
  offsets.view = good;
  offsets.view.byte_offset = 3;
  expect("cu_seqlens of T: the data is not aligned to its 8-byte elements");
  offsets.view = good;
  offsets.view.shape = nullptr;
  expect("cu_seqlens of T: the shape is null");
  offsets.view = good;
  offsets.view.data = nullptr;
  expect("cu_seqlens of T: the data is null");
  offsets.view = good;
  int64_t back = -1;
  offsets.view.strides = &back;
  expect("cu_seqlens of T: the negative stride -1");
  offsets.view = good;
  offsets.shape = 0;
  expect("cu_seqlens of T: expected one element more than there are segments, got 0 elements");
  offsets.packing.cu_seqlens = nullptr;
  expect("cu_seqlens of T is missing");
}

TEST_F(PackedReject, NumberOfPackings) {
  offsets.options.num_packings = -1;
  expect("cu_seqlens: the number of packings is negative, -1");
  offsets.options.num_packings = 1;
  offsets.options.packings = nullptr;
  expect("cu_seqlens: 1 packings, but their address is null");
  mixwright_packing twice[] = {offsets.packing, offsets.packing};
  offsets.options.packings = twice;
  offsets.options.num_packings = 2;
  expect("cu_seqlens of T is given twice");
}

TEST_F(PackedReject, Axes) {
  offsets.packing.axis = "K";
  expect("cu_seqlens: mixer 'block_sums' has no token axis K");
  offsets.packing.axis = "B";
  expect("cu_seqlens: axis B counts blocks of T, and is packed as that is");
}

TEST_F(PackedReject, SecondTokenAxis) {
  mixwright_space spaces[] = {kernel.spaces[0], kernel.spaces[1], {"S", -1, 0}};
  kernel.spaces = spaces;
  kernel.num_spaces = 3;
  expect("cu_seqlens: mixer 'block_sums' has the token axes T and S; name the one that is meant");
  offsets.packing.axis = "T";
  expect("cu_seqlens of S is missing: every token axis must be packed");
  Offsets<int32_t> other({0, 1, 2, 3});
  mixwright_packing both[] = {offsets.packing, {"S", &other.view}};
  offsets.options.packings = both;
  offsets.options.num_packings = 2;
  expect("cu_seqlens of S: 3 segments, but 2 along another axis");
}

TEST_F(PackedReject, Tensors) {
  pack.initial = Tensor({3, 2, K}, 0);
  expect("initial state 'S': axis N has size 3, but 2 in 'cu_seqlens'");
  pack.initial = Tensor({2, 2, K}, 0);
  pack.x = Tensor({1, 9, 2, K}, 0);
  expect("input 'x': expected 3 dimensions [T, H, K], got 4");
}

TEST_F(PackedReject, ParamOverTokens) {
  std::vector<mixwright_arg> args(kernel.args, kernel.args + kernel.num_args);
  args[2].dims[0] = {"T", -1, 0};
  kernel.args = args.data();
  pack.w = Tensor({9}, 0);
  expect("param 'w' has the token axis T, so packed sequences cannot share it");
}

} // namespace
