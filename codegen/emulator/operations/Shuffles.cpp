//===- Shuffles.cpp - Values that go from lane to lane ----------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/emulator/Machine.h"
#include <algorithm>
#include <cmath>

using namespace mix::emu;

/// Calls `visit(lane, call)` for the lanes that take part.
template <typename Function> static void forEachLane(Group &group, Function visit) {
  for (unsigned lane = 0; lane < 64; ++lane)
    if (group[lane])
      visit(lane, *group[lane]);
}

//===----------------------------------------------------------------------===//
// PTX ISA 9.7.9.6 "shfl.sync"
//===----------------------------------------------------------------------===//

enum ShuffleMode { kUp, kDown, kButterfly, kIndex };

/// The lane that `lane` reads, as the pseudo-code of the section computes it, and
/// whether it is in range.
static std::pair<int, bool> findSource(int mode, int lane, uint32_t b, uint32_t c) {
  int bval = b & 31, cval = c & 31, segment = c >> 8 & 31;
  int maxLane = (lane & segment) | (cval & ~segment), minLane = lane & segment;
  int source = lane;
  bool isInRange = false;
  switch (mode) {
  case kUp:
    source = lane - bval;
    isInRange = source >= maxLane;
    break;
  case kDown:
    source = lane + bval;
    isInRange = source <= maxLane;
    break;
  case kButterfly:
    source = lane ^ bval;
    isInRange = source <= maxLane;
    break;
  case kIndex:
    source = minLane | (bval & ~segment);
    isInRange = source <= maxLane;
    break;
  }
  return {isInRange ? source : lane, isInRange};
}

/// Operands: members, value, b, c. Results: the value and, in the `p` forms, a predicate.
static void shuffle(Group &group) {
  int mode = group.any().site->operation->variant[0];
  forEachLane(group, [&](unsigned lane, const Call &call) {
    auto [source, isInRange] = findSource(mode, lane, call.get<uint32_t>(2), call.get<uint32_t>(3));
    const Call *from = group[source];
    if (!from) {
      group.warp.block->report(FindingKind::Invalid, group.warp.lanes[lane]->index, *call.site,
                               "lane " + std::to_string(lane) + " reads from lane " +
                                   std::to_string(source) + ", which takes no part");
      from = &call;
    }
    call.set(0, from->get<uint32_t>(1));
    if (call.site->resultOffsets.size() > 1)
      call.set<bool>(1, isInRange);
  });
}

//===----------------------------------------------------------------------===//
// PTX ISA 9.7.13.8 "vote.sync", 9.7.13.9 "match.sync", 9.7.13.11 "redux.sync",
// 9.7.13.15 "elect.sync"
//===----------------------------------------------------------------------===//

enum VoteMode { kAll, kAny, kUniform, kBallot };

static void vote(Group &group) {
  uint32_t yes = 0, members = 0;
  forEachLane(group, [&](unsigned lane, const Call &call) {
    members |= 1u << lane;
    yes |= uint32_t(call.get<bool>(1)) << lane;
  });
  int mode = group.any().site->operation->variant[0];
  forEachLane(group, [&](unsigned, const Call &call) {
    if (mode == kBallot)
      call.set(0, yes);
    else
      call.set<bool>(0, mode == kAll   ? yes == members
                        : mode == kAny ? yes != 0
                                       : yes == 0 || yes == members);
  });
}

static void matchAny(Group &group) {
  forEachLane(group, [&](unsigned, const Call &call) {
    uint32_t same = 0;
    forEachLane(group, [&](unsigned other, const Call &otherCall) {
      same |= uint32_t(otherCall.get<uint32_t>(1) == call.get<uint32_t>(1)) << other;
    });
    call.set(0, same);
  });
}

static void elect(Group &group) {
  unsigned leader = 0;
  while (!group[leader])
    ++leader;
  forEachLane(group, [&](unsigned lane, const Call &call) {
    call.set<uint32_t>(0, leader);
    call.set<bool>(1, lane == leader);
  });
}

/// Operands: value, members.
template <typename T, T (*combine)(T, T)> static void reduce(Group &group) {
  bool isFirst = true;
  T total = {};
  forEachLane(group, [&](unsigned, const Call &call) {
    total = isFirst ? call.get<T>(0) : combine(total, call.get<T>(0));
    isFirst = false;
  });
  forEachLane(group, [&](unsigned, const Call &call) { call.set(0, total); });
}

template <typename T> static T least(T x, T y) { return std::min(x, y); }
template <typename T> static T greatest(T x, T y) { return std::max(x, y); }
static float leastNumber(float x, float y) { return std::fmin(x, y); }
static float greatestNumber(float x, float y) { return std::fmax(x, y); }
static uint32_t sum(uint32_t x, uint32_t y) { return x + y; }
static uint32_t both(uint32_t x, uint32_t y) { return x & y; }
static uint32_t either(uint32_t x, uint32_t y) { return x | y; }
static uint32_t different(uint32_t x, uint32_t y) { return x ^ y; }

static FoundOperation findReduction(std::string_view name) {
  struct Row {
    const char *name;
    void (*run)(Group &);
  };
  static constexpr Row rows[] = {
      {"add", reduce<uint32_t, sum>},
      {"and", reduce<uint32_t, both>},
      {"or", reduce<uint32_t, either>},
      {"xor", reduce<uint32_t, different>},
      {"min", reduce<int32_t, least<int32_t>>},
      {"max", reduce<int32_t, greatest<int32_t>>},
      {"umin", reduce<uint32_t, least<uint32_t>>},
      {"umax", reduce<uint32_t, greatest<uint32_t>>},
      {"fmin", reduce<float, leastNumber>},
      {"fmax", reduce<float, greatestNumber>},
  };
  for (const Row &row : rows)
    if (name == row.name)
      return groupOperation(Meeting::Members, row.run, {}, /*memberOperand=*/1);
  return std::nullopt;
}

FoundOperation mix::emu::findShuffles(std::string_view name) {
  if (!consume(name, "nvvm."))
    return std::nullopt;
  if (name == "elect.sync")
    return groupOperation(Meeting::Members, elect, {}, 0);
  if (name == "match.any.sync.i32")
    return groupOperation(Meeting::Members, matchAny, {}, 0);
  if (consume(name, "redux.sync."))
    return findReduction(name);

  auto isOneOf = [&](std::initializer_list<const char *> names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (consume(name, "shfl.sync.")) {
    int mode = consume(name, "up.")     ? kUp
               : consume(name, "down.") ? kDown
               : consume(name, "bfly.") ? kButterfly
               : consume(name, "idx.")  ? kIndex
                                        : -1;
    if (mode >= 0 && isOneOf({"i32", "f32", "i32p", "f32p"}))
      return groupOperation(Meeting::Members, shuffle, {mode, name.back() == 'p'}, 0);
  }
  if (consume(name, "vote.")) {
    int mode = name == "all.sync"      ? kAll
               : name == "any.sync"    ? kAny
               : name == "uni.sync"    ? kUniform
               : name == "ballot.sync" ? kBallot
                                       : -1;
    if (mode >= 0)
      return groupOperation(Meeting::Members, vote, {mode}, 0);
  }
  return std::nullopt;
}
