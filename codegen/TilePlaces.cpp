//===- TilePlaces.cpp - Places of tiles in scratch memory -----------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Register allocation, with tiles for registers: the life of every tile as ranges
// of op numbers; tiles that a copy would connect are coalesced where their lives
// do not interfere; what remains gets the lowest free offset.
//
//===----------------------------------------------------------------------===//

#include "codegen/TilePlaces.h"
#include "codegen/TileStorage.h"
#include "dialect/Tile.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mix;

namespace {

/// Op numbers, both ends included.
struct Range {
  int64_t begin, end;
  bool overlaps(const Range &other) const { return begin <= other.end && other.begin <= end; }
};

/// Tiles that share one place.
struct Group {
  SmallVector<Value, 4> members;
  SmallVector<Range, 4> life;
  int64_t bytes = 0;
  int64_t alignment = 1;
  int64_t offset = -1;
};

/// Whether the result may overwrite the operand: every element of the operand is
/// read before, or when, the element at the same position is written.
bool isInPlaceSafe(OpOperand &operand, Value result) {
  Operation *op = operand.getOwner();
  if (operand.get().getType() != result.getType())
    return false;
  if (auto insert = dyn_cast<tensor::InsertSliceOp>(op))
    return operand.get() == insert.getDest() && insert.getSource() != insert.getDest();
  if (isa<tile::ScanOp, tensor::InsertOp>(op))
    return true;
  if (auto solve = dyn_cast<tile::SolveOp>(op))
    return &operand == &solve.getRhsMutable();
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  if (!linalgOp)
    return false;
  OpOperand *out = linalgOp.getDpsInitOperand(cast<OpResult>(result).getResultNumber());
  if (&operand == out)
    return true;
  // Of what is reduced, elements are read again after some results are written.
  return linalgOp.getMatchingIndexingMap(&operand) == linalgOp.getMatchingIndexingMap(out) &&
         linalgOp.getMatchingIndexingMap(out).isPermutation();
}

class Allocator {
public:
  Allocator(func::FuncOp phase, const PlacePolicy &policy) : phase(phase), policy(policy) {}
  TilePlaces run();

private:
  void separateYields();
  void numberOps();
  void computeLives();
  void coalesce();
  void assignOffsets();
  TilePlaces collect();

  int64_t begin(Operation *op) { return numbers.lookup(op).begin; }
  int64_t end(Operation *op) { return numbers.lookup(op).end; }
  /// The last op number at which the tile, or a view of it, is read.
  int64_t getLastUse(Value tile, Block *home);
  void addTile(Value tile, SmallVector<Range, 4> life);
  bool interfere(Value a, Value b);
  /// Whether the range is the yield at which the value becomes the result of an
  /// scf.if: in one place, both are the same there, even if the other branch reads the value.
  bool isYieldedAt(Value value, Value result, const Range &range);
  bool mayShare(Value earlier, Value later);
  /// Merges the groups of the two tiles if their lives allow.
  bool merge(Value a, Value b, bool always = false);
  Group *find(Value tile) {
    auto it = groupOf.find(tile);
    return it == groupOf.end() ? nullptr : it->second;
  }

  func::FuncOp phase;
  const PlacePolicy &policy;
  SmallVector<Operation *> ops;
  DenseMap<Operation *, Range> numbers;
  DenseMap<Value, SmallVector<Range, 4>> lives;
  DenseMap<Value, Group *> groupOf;
  DenseMap<Operation *, Group *> temporaries;
  SmallVector<std::unique_ptr<Group>> groups;
};

} // namespace

/// A loop that passes one carried tile on as another (`yield %b, %a`) would read
/// what the first copy has overwritten; such tiles are copied in the body.
void Allocator::separateYields() {
  phase.walk([&](scf::ForOp loop) {
    auto yield = cast<scf::YieldOp>(loop.getBody()->getTerminator());
    OpBuilder b(yield);
    for (OpOperand &operand : yield->getOpOperands()) {
      Value root = operand.get();
      while (Value source = getViewSource(root))
        root = source;
      auto arg = dyn_cast<BlockArgument>(root);
      bool carried =
          arg && arg.getOwner() == loop.getBody() && isa<RankedTensorType>(arg.getType());
      if (!carried ||
          (root == operand.get() &&
           arg.getArgNumber() == operand.getOperandNumber() + loop.getNumInductionVars()))
        continue;
      auto type = cast<RankedTensorType>(operand.get().getType());
      Value empty =
          tensor::EmptyOp::create(b, yield.getLoc(), type.getShape(), type.getElementType());
      operand.set(linalg::CopyOp::create(b, yield.getLoc(), operand.get(), empty).getResult(0));
    }
  });
}

void Allocator::numberOps() {
  int64_t next = 0;
  std::function<void(Operation *)> visit = [&](Operation *op) {
    ops.push_back(op);
    int64_t start = next++;
    // The body of a linalg op is part of it: it works on elements.
    if (!isa<linalg::LinalgOp>(op))
      for (Region &region : op->getRegions())
        for (Operation &nested : region.getOps())
          visit(&nested);
    numbers[op] = {start, next++};
  };
  visit(phase);
}

int64_t Allocator::getLastUse(Value tile, Block *home) {
  int64_t last = -1;
  for (OpOperand &use : tile.getUses()) {
    Operation *user = use.getOwner();
    for (Value result : user->getResults())
      if (getViewSource(result) == tile)
        last = std::max(last, getLastUse(result, home));
    if (auto body = user->getParentOfType<linalg::LinalgOp>())
      user = body;
    // A use inside a loop keeps the tile until the loop is done.
    int64_t position = begin(user);
    for (Operation *op = user; op->getBlock() != home; op = op->getParentOp())
      if (!isa<scf::IfOp>(op->getParentOp()))
        position = end(op->getParentOp());
    last = std::max(last, position);
  }
  return last;
}

void Allocator::addTile(Value tile, SmallVector<Range, 4> life) {
  groups.push_back(std::make_unique<Group>());
  Group &group = *groups.back();
  group.members.push_back(tile);
  group.life = life;
  group.bytes = policy.getBytes(tile);
  if (policy.getAlignment)
    group.alignment = policy.getAlignment(tile);
  groupOf[tile] = &group;
  lives[tile] = std::move(life);
}

void Allocator::computeLives() {
  for (Operation *op : ops) {
    for (Value result : op->getResults()) {
      if (!policy.needsPlace(result))
        continue;
      int64_t last = std::max(getLastUse(result, op->getBlock()), begin(op));
      if (isa<scf::ForOp>(op)) {
        addTile(result, {{end(op), std::max(last, end(op))}});
        continue;
      }
      if (auto branch = dyn_cast<scf::IfOp>(op)) {
        int64_t thenYield = begin(branch.thenYield());
        int64_t elseYield = branch.elseBlock() ? begin(branch.elseYield()) : thenYield;
        addTile(
            result,
            {{thenYield, thenYield}, {elseYield, elseYield}, {end(op), std::max(last, end(op))}});
        continue;
      }
      if (policy.isDouble && policy.isDouble(result)) {
        Operation *loop = op->getParentOp();
        addTile(result, {{begin(loop), end(loop)}});
        groupOf[result]->bytes *= 2;
        continue;
      }
      addTile(result, {{begin(op), last}});
    }
    if (auto loop = dyn_cast<scf::ForOp>(op)) {
      int64_t yield = begin(loop.getBody()->getTerminator());
      for (BlockArgument arg : loop.getRegionIterArgs()) {
        if (!policy.needsPlace(arg))
          continue;
        int64_t last = std::max(getLastUse(arg, loop.getBody()), begin(op));
        addTile(arg, {{begin(op), last}, {yield, end(op)}});
      }
    }
    if (int64_t bytes = policy.getTemporaryBytes(op)) {
      groups.push_back(std::make_unique<Group>());
      groups.back()->life = {{begin(op), begin(op)}};
      groups.back()->bytes = bytes;
      temporaries[op] = groups.back().get();
    }
  }
}

/// Whether `later` may begin where `earlier` ends: at the op that defines the one
/// from the other in place, at a loop that carries the one as the other, or at a yield.
bool Allocator::mayShare(Value earlier, Value later) {
  if (auto arg = dyn_cast<BlockArgument>(later)) {
    auto loop = dyn_cast<scf::ForOp>(arg.getOwner()->getParentOp());
    if (!loop)
      return false;
    if (loop.getTiedLoopInit(arg)->get() == earlier &&
        llvm::count(loop.getInitArgs(), earlier) == 1)
      return true;
    return loop.getTiedLoopYieldedValue(arg)->get() == earlier &&
           llvm::count(loop.getYieldedValues(), earlier) == 1;
  }
  Operation *op = later.getDefiningOp();
  // A body may read elements at any position.
  for (OpOperand &use : earlier.getUses())
    if (use.getOwner() != op && op->isProperAncestor(use.getOwner()))
      return false;
  bool used = false;
  for (OpOperand &operand : op->getOpOperands()) {
    Value root = operand.get();
    bool view = false;
    while (Value source = getViewSource(root)) {
      root = source;
      view = true;
    }
    if (root != earlier)
      continue;
    // The content of an output that the body does not read is not used.
    if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
      if (linalgOp.isDpsInit(&operand) && !linalgOp.payloadUsesValueFromOperand(&operand))
        continue;
    if (view || !isInPlaceSafe(operand, later))
      return false;
    used = true;
  }
  return used;
}

bool Allocator::isYieldedAt(Value value, Value result, const Range &range) {
  auto branch = result.getDefiningOp<scf::IfOp>();
  if (!branch)
    return false;
  unsigned index = cast<OpResult>(result).getResultNumber();
  return llvm::any_of(branch->getRegions(), [&](Region &region) {
    if (region.empty())
      return false;
    Operation *yield = region.front().getTerminator();
    return begin(yield) == range.begin && yield->getOperand(index) == value;
  });
}

bool Allocator::interfere(Value a, Value b) {
  for (const Range &x : lives[a])
    for (const Range &y : lives[b]) {
      if (!x.overlaps(y) || isYieldedAt(a, b, y) || isYieldedAt(b, a, x))
        continue;
      if (x.end == y.begin && mayShare(a, b))
        continue;
      if (y.end == x.begin && mayShare(b, a))
        continue;
      return true;
    }
  return false;
}

bool Allocator::merge(Value a, Value b, bool always) {
  Group *first = find(a), *second = find(b);
  if (!first || !second || first == second)
    return first && first == second;
  if (!always) {
    if (a.getType() != b.getType())
      return false;
    for (Value x : first->members)
      for (Value y : second->members)
        if (interfere(x, y))
          return false;
  }
  first->members.append(second->members);
  first->life.append(second->life);
  first->bytes = std::max(first->bytes, second->bytes);
  first->alignment = std::max(first->alignment, second->alignment);
  for (Value member : second->members)
    groupOf[member] = first;
  llvm::erase_if(groups, [&](auto &group) { return group.get() == second; });
  return true;
}

void Allocator::coalesce() {
  SmallVector<scf::ForOp> loops;
  phase.walk([&](scf::ForOp loop) {
    for (auto [arg, result] : llvm::zip_equal(loop.getRegionIterArgs(), loop.getResults()))
      merge(arg, result, /*always=*/true);
    loops.push_back(loop);
  });
  // The walk is post-order: inner loops, where a copy costs most, come first.
  for (scf::ForOp loop : loops)
    for (auto [arg, yielded] : llvm::zip_equal(loop.getRegionIterArgs(), loop.getYieldedValues()))
      merge(arg, yielded);
  phase.walk([&](scf::IfOp branch) {
    for (auto [index, result] : llvm::enumerate(branch.getResults())) {
      merge(result, branch.thenYield().getOperand(index));
      merge(result, branch.elseYield().getOperand(index));
    }
  });
  for (scf::ForOp loop : loops)
    for (auto [init, arg] : llvm::zip_equal(loop.getInitArgs(), loop.getRegionIterArgs()))
      merge(init, arg);
  phase.walk([&](Operation *op) {
    for (OpOperand &operand : op->getOpOperands())
      for (Value result : op->getResults())
        if (find(result) && find(operand.get()) && !isa<scf::ForOp, scf::IfOp>(op) &&
            isInPlaceSafe(operand, result))
          merge(operand.get(), result);
  });
}

void Allocator::assignOffsets() {
  SmallVector<Group *> order;
  for (auto &group : groups)
    order.push_back(group.get());
  llvm::sort(order, [](Group *a, Group *b) { return a->bytes > b->bytes; });
  SmallVector<Group *> placed;
  for (Group *group : order) {
    // The lowest gap among the placed groups that are alive at the same time.
    SmallVector<std::pair<int64_t, int64_t>> taken;
    for (Group *other : placed)
      if (llvm::any_of(group->life, [&](const Range &x) {
            return llvm::any_of(other->life, [&](const Range &y) { return x.overlaps(y); });
          }))
        taken.push_back({other->offset, other->offset + other->bytes});
    llvm::sort(taken);
    group->offset = 0;
    for (auto [from, to] : taken)
      if (group->offset + group->bytes > from)
        group->offset = std::max<int64_t>(group->offset, llvm::alignTo(to, group->alignment));
    placed.push_back(group);
  }
}

TilePlaces Allocator::collect() {
  TilePlaces places;
  for (auto &group : groups) {
    places.bytes = std::max(places.bytes, group->offset + group->bytes);
    for (Value member : group->members)
      places.offsets[member] = group->offset;
  }
  for (auto [op, group] : temporaries)
    places.temporaries[op] = group->offset;
  return places;
}

TilePlaces Allocator::run() {
  separateYields();
  numberOps();
  computeLives();
  coalesce();
  assignOffsets();
  return collect();
}

TilePlaces mix::assignPlaces(func::FuncOp phase, const PlacePolicy &policy) {
  return Allocator(phase, policy).run();
}
