//===- FuseReductions.cpp - Elements are reduced as they are made -----------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A tile that is made element by element and then summed (weights and their sum) is walked
// twice, and so is one that is then rounded to pairs. One op with several outputs does all of it
// while the element is in a register. An output that varies along the loops of the reduction
// is written element by element, the others are carried.
//
//===----------------------------------------------------------------------===//

#include "codegen/Accesses.h"
#include "codegen/cpu/Memory.h"
#include "codegen/cpu/Passes.h"
#include "codegen/cpu/ProductFusion.h"
#include "dialect/Tile.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Pass/Pass.h"

namespace mix::cpu {
#define GEN_PASS_DEF_CPUFUSEREDUCTIONS
#include "codegen/cpu/Passes.h.inc"
} // namespace mix::cpu

using namespace mlir;
using namespace mix;
using namespace mix::cpu;

using Kinds = SmallVector<utils::IteratorType>;

namespace {

/// An op under construction: operands with their maps, and how its body computes.
struct Fusion {
  SmallVector<Value> inputs, outputs;
  SmallVector<AffineMap> inputMaps, outputMaps;
  Kinds kinds;

  linalg::GenericOp build(OpBuilder &b, Location loc,
                          llvm::function_ref<void(OpBuilder &, Location, ValueRange)> body) {
    SmallVector<AffineMap> maps(inputMaps);
    maps.append(outputMaps);
    SmallVector<Type> types = llvm::to_vector(ValueRange(outputs).getTypes());
    return linalg::GenericOp::create(b, loc, types, inputs, outputs, maps, kinds, body);
  }
};

/// A reduction of a tile, seen from the loops of the op that makes the tile.
struct Reduction {
  linalg::GenericOp op;
  AffineMap loops; ///< From loops of the maker to those of the reduction.
  Kinds kinds;     ///< Of the maker's loops.
};

} // namespace

/// From the loops of the op to the dimensions of its result.
static AffineMap getOutputMap(linalg::GenericOp op, Value result) {
  unsigned number = cast<OpResult>(result).getResultNumber();
  return op.getMatchingIndexingMap(op.getDpsInitOperand(number));
}

/// The op that makes the tile element by element, each of its loops walking one dimension, or null.
static linalg::GenericOp getMaker(Value tile) {
  auto maker = tile.getDefiningOp<linalg::GenericOp>();
  if (!maker || maker->hasAttr(kPackAttr))
    return {};
  return getOutputMap(maker, tile).isPermutation() ? maker : linalg::GenericOp();
}

/// Appends what the body of an op computes of these arguments to the block being built.
static SmallVector<Value> inlineBody(OpBuilder &b, linalg::GenericOp op, ValueRange arguments,
                                     AffineMap loops) {
  IRMapping values;
  values.map(op.getBody()->getArguments(), arguments);
  for (Operation &nested : op.getBody()->without_terminator()) {
    auto index = dyn_cast<linalg::IndexOp>(nested);
    if (!index) {
      b.clone(nested, values);
      continue;
    }
    unsigned dim = loops.getDimPosition(index.getDim());
    values.map(index.getResult(), linalg::IndexOp::create(b, op.getLoc(), dim).getResult());
  }
  return llvm::map_to_vector(op.getBody()->getTerminator()->getOperands(),
                             [&](Value value) { return values.lookupOrDefault(value); });
}

/// The use as part of a reduction that could be done where the tile is made.
static std::optional<Reduction> getReduction(OpOperand &use, linalg::GenericOp maker) {
  auto op = dyn_cast<linalg::GenericOp>(use.getOwner());
  if (!op || op->getBlock() != maker->getBlock() || !op.isDpsInput(&use) ||
      op.getNumReductionLoops() == 0 || isContraction(op) || op.getNumDpsInputs() != 1 ||
      op.getNumLoops() != maker.getNumLoops() || needsLater(op, maker))
    return std::nullopt;
  AffineMap access = op.getMatchingIndexingMap(&use);
  if (!access.isPermutation())
    return std::nullopt;
  Reduction reduction = {
      op, inversePermutation(access).compose(getOutputMap(maker, use.get())), {}};
  reduction.kinds.resize(maker.getNumLoops());
  for (auto [loop, kind] : llvm::enumerate(op.getIteratorTypesArray()))
    reduction.kinds[reduction.loops.getDimPosition(loop)] = kind;
  return reduction;
}

/// Whether the maker may have outputs that are reduced so: no output varies otherwise.
static bool agree(linalg::GenericOp maker, const Reduction &reduction) {
  return maker.getNumReductionLoops() == 0 || maker.getIteratorTypesArray() == reduction.kinds;
}

/// Whether the tile is better made elsewhere: by the product that it follows, or in the caller's
/// memory.
static bool isMadeElsewhere(linalg::GenericOp maker, Value tile) {
  return isProductEnd(maker) || llvm::any_of(tile.getUsers(), llvm::IsaPred<tile::StoreOp>);
}

/// One op that makes the tile and reduces it.
static void fuse(Value tile, const Reduction &reduction) {
  linalg::GenericOp maker = getMaker(tile);
  unsigned result = cast<OpResult>(tile).getResultNumber();
  linalg::GenericOp op = reduction.op;
  Fusion fusion;
  fusion.inputs = llvm::to_vector(maker.getInputs());
  fusion.outputs = llvm::to_vector(maker.getOutputs());
  llvm::append_range(fusion.outputs, op.getOutputs());
  SmallVector<AffineMap> makerMaps = maker.getIndexingMapsArray();
  unsigned numInputs = fusion.inputs.size();
  fusion.inputMaps.assign(makerMaps.begin(), makerMaps.begin() + numInputs);
  fusion.outputMaps.assign(makerMaps.begin() + numInputs, makerMaps.end());
  for (OpOperand &output : op.getDpsInitsMutable())
    fusion.outputMaps.push_back(op.getMatchingIndexingMap(&output).compose(reduction.loops));
  fusion.kinds = reduction.kinds;

  OpBuilder b(maker);
  unsigned numMade = maker->getNumResults();
  linalg::GenericOp fused =
      fusion.build(b, maker.getLoc(), [&](OpBuilder &b, Location loc, ValueRange arguments) {
        AffineMap same = b.getMultiDimIdentityMap(maker.getNumLoops());
        SmallVector<Value> made =
            inlineBody(b, maker, arguments.take_front(numInputs + numMade), same);
        SmallVector<Value> reduced = {made[result]};
        llvm::append_range(reduced, arguments.drop_front(numInputs + numMade));
        made.append(inlineBody(b, op, reduced, reduction.loops));
        linalg::YieldOp::create(b, loc, made);
      });
  maker->replaceAllUsesWith(fused->getResults().take_front(numMade));
  op->replaceAllUsesWith(fused->getResults().drop_front(numMade));
  op->erase();
  maker->erase();
}

/// A tile that may be reduced where it is made, and how.
static std::optional<std::pair<Value, Reduction>> findReduction(func::FuncOp phase) {
  std::optional<std::pair<Value, Reduction>> found;
  phase.walk([&](linalg::GenericOp op) {
    for (Value tile : op->getResults()) {
      linalg::GenericOp maker = getMaker(tile);
      if (!maker || isMadeElsewhere(maker, tile))
        continue;
      for (OpOperand &use : tile.getUses())
        if (auto reduction = getReduction(use, maker); reduction && agree(maker, *reduction)) {
          found = {tile, *reduction};
          return WalkResult::interrupt();
        }
    }
    return WalkResult::advance();
  });
  return found;
}

//===----------------------------------------------------------------------===//
// Pairs
//===----------------------------------------------------------------------===//

/// The op that makes pairs of all elements of a maker's first tile, if nothing else needs the
/// tile, or null.
static linalg::GenericOp getOnlyPack(linalg::GenericOp maker) {
  linalg::GenericOp pack;
  for (Operation *user : maker->getResult(0).getUsers()) {
    if (isa<tile::BandOp>(user) || user == pack)
      continue;
    auto op = dyn_cast<linalg::GenericOp>(user);
    if (pack || !op || !op->hasAttr(kPackAttr) || op->getBlock() != maker->getBlock())
      return {};
    pack = op;
  }
  return pack && !needsLater(pack, maker) ? pack : linalg::GenericOp();
}

/// Two neighbours that a maker makes at each position of the loops of a pack.
struct Pairs {
  linalg::GenericOp maker, pack;
  SmallVector<AffineMap, 2> halves; ///< From loops of the pack to those of the maker.
};

/// The pairs that may be made of a maker's elements. Lanes, the last axis, are then not reduced: a
/// body that combines twice does not say how lanes are combined.
static std::optional<Pairs> getPairs(linalg::GenericOp maker) {
  Value tile = maker->getResult(0);
  if (!getMaker(tile) || isMadeElsewhere(maker, tile) || maker.hasIndexSemantics() ||
      maker.payloadUsesValueFromOperand(maker.getDpsInitOperand(0)))
    return std::nullopt;
  linalg::GenericOp pack = getOnlyPack(maker);
  AffineMap output = getOutputMap(maker, tile);
  if (!pack || output.getNumResults() == 0 ||
      maker.getIteratorTypesArray()[output.getDimPosition(output.getNumResults() - 1)] ==
          utils::IteratorType::reduction)
    return std::nullopt;
  Pairs pairs = {maker, pack, {}};
  for (OpOperand *half : pack.getDpsInputOperands())
    pairs.halves.push_back(inversePermutation(output).compose(pack.getMatchingIndexingMap(half)));
  bool isSame = llvm::all_of(llvm::drop_begin(maker.getDpsInitsMutable()), [&](OpOperand &sums) {
    AffineMap map = maker.getMatchingIndexingMap(&sums);
    return map.compose(pairs.halves[0]) == map.compose(pairs.halves[1]);
  });
  return isSame ? std::optional(pairs) : std::nullopt;
}

/// The kinds of the pack's loops, each of which walks one of the maker's.
static Kinds getKinds(const Pairs &pairs) {
  linalg::GenericOp maker = pairs.maker;
  Kinds kinds = maker.getIteratorTypesArray(), own(kinds);
  for (auto [loop, expression] : llvm::enumerate(pairs.halves[0].getResults()))
    for (unsigned dim = 0; dim < own.size(); ++dim)
      if (expression.isFunctionOfDim(dim))
        own[dim] = kinds[loop];
  return own;
}

/// One op that makes two neighbours, reduces them, and stores the pair.
static void fusePack(const Pairs &pairs) {
  linalg::GenericOp maker = pairs.maker, pack = pairs.pack;
  Fusion fusion;
  for (AffineMap half : pairs.halves)
    for (OpOperand *input : maker.getDpsInputOperands()) {
      fusion.inputs.push_back(input->get());
      fusion.inputMaps.push_back(maker.getMatchingIndexingMap(input).compose(half));
    }
  fusion.outputs = {pack.getOutputs()[0]};
  fusion.outputMaps = {getOutputMap(pack, pack->getResult(0))};
  for (OpOperand &output : llvm::drop_begin(maker.getDpsInitsMutable())) {
    fusion.outputs.push_back(output.get());
    fusion.outputMaps.push_back(maker.getMatchingIndexingMap(&output).compose(pairs.halves[0]));
  }
  fusion.kinds = getKinds(pairs);

  OpBuilder b(maker);
  unsigned numInputs = maker.getNumDpsInputs();
  AffineMap same = b.getMultiDimIdentityMap(maker.getNumLoops());
  linalg::GenericOp fused =
      fusion.build(b, maker.getLoc(), [&](OpBuilder &b, Location loc, ValueRange arguments) {
        // The maker does not read what its first output held.
        ValueRange sums = arguments.drop_front(2 * numInputs);
        SmallVector<Value> carried(sums), pair;
        for (unsigned half = 0; half < 2; ++half) {
          SmallVector<Value> reads(arguments.slice(half * numInputs, numInputs));
          reads.append(carried);
          carried = inlineBody(b, maker, reads, same);
          pair.push_back(carried.front());
        }
        pair.push_back(sums.front());
        carried.front() = inlineBody(b, pack, pair, same).front();
        linalg::YieldOp::create(b, loc, carried);
      });
  pack->replaceAllUsesWith(fused->getResults().take_front());
  for (unsigned n = 1; n < maker->getNumResults(); ++n)
    maker->getResult(n).replaceAllUsesWith(fused->getResult(n));
  pack->erase();
  // What is left are promises about a tile that there is no more.
  for (Operation *user : llvm::make_early_inc_range(maker->getUsers()))
    user->erase();
  maker->erase();
}

static std::optional<Pairs> findPairs(func::FuncOp phase) {
  std::optional<Pairs> found;
  phase.walk([&](linalg::GenericOp maker) {
    found = getPairs(maker);
    return found ? WalkResult::interrupt() : WalkResult::advance();
  });
  return found;
}

namespace {

struct FuseReductions : cpu::impl::CpuFuseReductionsBase<FuseReductions> {
  using CpuFuseReductionsBase::CpuFuseReductionsBase;

  void runOnOperation() override {
    func::FuncOp phase = getOperation();
    if (!phase->hasAttr("tile.phase"))
      return;
    // Tiles without content need nothing, and so are there before any op that is moved up.
    phase.walk([](tensor::EmptyOp empty) {
      if (empty->getNumOperands() == 0)
        empty->moveBefore(&empty->getBlock()->front());
    });
    while (auto found = findReduction(phase))
      fuse(found->first, found->second);
    while (std::optional<Pairs> pairs = findPairs(phase))
      fusePack(*pairs);
  }
};

} // namespace
