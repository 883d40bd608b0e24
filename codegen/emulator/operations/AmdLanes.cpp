//===- AmdLanes.cpp - Values that go from lane to lane, AMD -----------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Section names are those of the RDNA3 and CDNA3 instruction set guides. Lanes that the
// execution mask turns off read as 0 unless a section says otherwise.
//
//===----------------------------------------------------------------------===//

#include "codegen/emulator/Machine.h"

using namespace mix::emu;

/// Calls `visit(lane, call)` for the lanes that take part.
template <typename Function> static void forEachLane(Group &group, Function visit) {
  for (unsigned lane = 0; lane < 64; ++lane)
    if (group[lane])
      visit(lane, *group[lane]);
}

static uint32_t getWaveSize(Group &group) { return group.warp.block->launch.warpSize; }

//===----------------------------------------------------------------------===//
// V_MBCNT_LO_U32_B32, V_MBCNT_HI_U32_B32: lanes of the mask below this one, plus a number
//===----------------------------------------------------------------------===//

static uint32_t countBelow(uint32_t mask, uint32_t lane) {
  uint32_t below = lane >= 32 ? mask : mask & ((1u << lane) - 1);
  return __builtin_popcount(below);
}
static void countLow(Thread &thread, const Call &call) {
  call.set(0, countBelow(call.get<uint32_t>(0), thread.lane) + call.get<uint32_t>(1));
}
static void countHigh(Thread &thread, const Call &call) {
  uint32_t lane = thread.lane < 32 ? 0 : thread.lane - 32;
  call.set(0, countBelow(call.get<uint32_t>(0), lane) + call.get<uint32_t>(1));
}

//===----------------------------------------------------------------------===//
// DS_BPERMUTE_B32, DS_PERMUTE_B32: operands (4 * lane, value)
//===----------------------------------------------------------------------===//

static void pull(Group &group) {
  forEachLane(group, [&](unsigned, const Call &call) {
    const Call *from = group[call.get<uint32_t>(0) / 4 % getWaveSize(group)];
    call.set<uint32_t>(0, from ? from->get<uint32_t>(1) : 0);
  });
}

/// Of several lanes that push to one, the highest counts.
static void push(Group &group) {
  std::array<uint32_t, 64> values = {};
  forEachLane(group, [&](unsigned, const Call &call) {
    values[call.get<uint32_t>(0) / 4 % getWaveSize(group)] = call.get<uint32_t>(1);
  });
  forEachLane(group, [&](unsigned lane, const Call &call) { call.set(0, values[lane]); });
}

//===----------------------------------------------------------------------===//
// DS_SWIZZLE_B32: operands (value, pattern)
//===----------------------------------------------------------------------===//

static void swizzle(Group &group) {
  forEachLane(group, [&](unsigned lane, const Call &call) {
    uint32_t pattern = call.get<uint32_t>(1), source;
    if (pattern >= 0xc000) {
      group.warp.block->stop(FindingKind::Invalid, group.warp.lanes[lane]->index, *call.site,
                             "the rotating and FFT patterns of ds.swizzle are not emulated");
      return;
    }
    if (pattern & 0x8000) // Any order within four lanes.
      source = (lane & ~3u) | (pattern >> (2 * (lane & 3)) & 3);
    else // Bit masks within 32 lanes: and, or, xor.
      source =
          (lane & 32) | ((((lane & 31) & pattern) | (pattern >> 5 & 31)) ^ (pattern >> 10 & 31));
    call.set<uint32_t>(0, group[source] ? group[source]->get<uint32_t>(0) : 0);
  });
}

//===----------------------------------------------------------------------===//
// V_READFIRSTLANE_B32, V_READLANE_B32, and V_CMP into a mask ("ballot")
//===----------------------------------------------------------------------===//

static void readFirstLane(Group &group) {
  uint32_t value = group.any().get<uint32_t>(0);
  forEachLane(group, [&](unsigned, const Call &call) { call.set(0, value); });
}

/// Reads a register whether or not its lane is on; an off lane's register is not known here.
static void readLane(Group &group) {
  forEachLane(group, [&](unsigned lane, const Call &call) {
    uint32_t source = call.get<uint32_t>(1) % getWaveSize(group);
    if (!group[source])
      group.warp.block->report(FindingKind::Invalid, group.warp.lanes[lane]->index, *call.site,
                               "reads lane " + std::to_string(source) + ", which is not active");
    call.set<uint32_t>(0, group[source] ? group[source]->get<uint32_t>(0) : 0);
  });
}

/// `variant`: {bits of the result}.
static void ballot(Group &group) {
  uint64_t mask = 0;
  forEachLane(
      group, [&](unsigned lane, const Call &call) { mask |= uint64_t(call.get<bool>(0)) << lane; });
  forEachLane(group, [&](unsigned, const Call &call) {
    if (call.site->operation->variant[0] == 64)
      call.set<uint64_t>(0, mask);
    else
      call.set<uint32_t>(0, mask);
  });
}

//===----------------------------------------------------------------------===//
// DPP ("Data Parallel Primitives"): rows are 16 lanes, banks 4
//===----------------------------------------------------------------------===//

/// The lane that `lane` reads under a control word, or -1 where that leaves its row.
static int findDppSource(uint32_t control, int lane, int waveSize) {
  int row = lane & ~15, inRow = lane & 15, amount = control & 15;
  auto within = [&](int target) { return target < 0 || target > 15 ? -1 : row + target; };
  switch (control >> 4) {
  case 0x10: // row_shl:1-15
    return within(inRow + amount);
  case 0x11: // row_shr:1-15
    return within(inRow - amount);
  case 0x12: // row_ror:1-15
    return row + ((inRow - amount) & 15);
  case 0x15: // row_share (row_newbcast of gfx90a)
    return row + amount;
  case 0x16: // row_xmask
    return row + (inRow ^ amount);
  default:
    break;
  }
  if (control < 0x100) // quad_perm
    return (lane & ~3) | int(control >> (2 * (lane & 3)) & 3);
  switch (control) {
  case 0x140: // row_mirror
    return row + 15 - inRow;
  case 0x141: // row_half_mirror
    return (lane & ~7) + 7 - (lane & 7);
  case 0x142: // row_bcast:15
    return lane < 16 ? -1 : row - 1;
  case 0x143: // row_bcast:31
    return lane < 32 ? -1 : 31;
  default:
    return waveSize; // Unknown.
  }
}

/// Operands: old value, value, control, row mask, bank mask, bound_ctrl.
static void moveDpp(Group &group) {
  forEachLane(group, [&](unsigned lane, const Call &call) {
    uint32_t control = call.get<uint32_t>(2);
    int source = findDppSource(control, lane, getWaveSize(group));
    if (source == int(getWaveSize(group))) {
      group.warp.block->stop(FindingKind::Invalid, group.warp.lanes[lane]->index, *call.site,
                             "DPP control " + std::to_string(control) + " is not emulated");
      return;
    }
    bool isEnabled = call.get<uint32_t>(3) >> (lane / 16 % 4) & 1 &&
                     call.get<uint32_t>(4) >> (lane % 16 / 4) & 1;
    const Call *from = source < 0 ? nullptr : group[source];
    uint32_t value = call.get<uint32_t>(0);
    if (isEnabled && from)
      value = from->get<uint32_t>(1);
    else if (isEnabled && call.get<bool>(5))
      value = 0;
    call.set(0, value);
  });
}

/// V_PERMLANE16_B32, V_PERMLANEX16_B32: operands (old, value, low and high selectors, fetch
/// from inactive lanes, bound_ctrl). `variant`: {whether it reads the other row}.
static void permuteRow(Group &group) {
  forEachLane(group, [&](unsigned lane, const Call &call) {
    uint64_t selectors = call.get<uint32_t>(2) | uint64_t(call.get<uint32_t>(3)) << 32;
    unsigned row = lane & ~15u, column = selectors >> (4 * (lane & 15)) & 15;
    const Call *from = group[(call.site->operation->variant[0] ? row ^ 16 : row) | column];
    uint32_t old = call.get<bool>(5) ? 0 : call.get<uint32_t>(0);
    call.set(0, from ? from->get<uint32_t>(1) : old);
  });
}

//===----------------------------------------------------------------------===//
// Look-up
//===----------------------------------------------------------------------===//

FoundOperation mix::emu::findAmdLanes(std::string_view name) {
  if (!consume(name, "amdgcn."))
    return std::nullopt;
  auto active = [](void (*run)(Group &), int variant = 0) {
    return groupOperation(Meeting::Active, run, {variant});
  };
  if (name == "mbcnt.lo")
    return threadOperation(countLow);
  if (name == "mbcnt.hi")
    return threadOperation(countHigh);
  if (name == "ds.bpermute")
    return active(pull);
  if (name == "ds.permute")
    return active(push);
  if (name == "ds.swizzle")
    return active(swizzle);
  if (name == "ballot.i32" || name == "ballot.i64")
    return active(ballot, name == "ballot.i64" ? 64 : 32);
  // What follows moves 32 bits of any type.
  size_t dot = name.rfind('.');
  std::string_view type = name.substr(dot + 1), base = name.substr(0, dot);
  if (type != "i32" && type != "f32")
    return std::nullopt;
  if (base == "readfirstlane")
    return active(readFirstLane);
  if (base == "readlane")
    return active(readLane);
  if (base == "update.dpp")
    return active(moveDpp);
  if (base == "permlane16" || base == "permlanex16")
    return active(permuteRow, base == "permlanex16");
  return std::nullopt;
}
