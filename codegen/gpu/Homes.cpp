//===- Homes.cpp - Where the tiles of a phase live --------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/gpu/Homes.h"
#include "codegen/TileStorage.h"
#include "codegen/gpu/Prefetches.h"
#include "dialect/Tile.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mix;
using namespace mix::gpu;

/// Alignment of every row, and the bytes after which banks repeat.
static constexpr int64_t kRowBytes = 16, kBankBytes = 128;

static int64_t getRowStride(int64_t size, Type element) {
  int64_t bytes = llvm::alignTo(size * getStorageBytes(element), kRowBytes);
  if (bytes % kBankBytes == 0)
    bytes += kRowBytes;
  return bytes / getStorageBytes(element);
}

SmallVector<int64_t> gpu::getTileStrides(ArrayRef<int64_t> shape, Type element) {
  SmallVector<int64_t> strides(shape.size(), 1);
  if (shape.size() < 2)
    return strides;
  strides[shape.size() - 2] = getRowStride(shape.back(), element);
  for (size_t dim = shape.size() - 2; dim-- > 0;)
    strides[dim] = strides[dim + 1] * shape[dim + 1];
  return strides;
}

int64_t gpu::getTileBytes(RankedTensorType type, Panels panels) {
  if (panels)
    return type.getDimSize(1) / panels.getWidth() * panels.panelBytes;
  ArrayRef<int64_t> shape = type.getShape();
  Type element = type.getElementType();
  int64_t elements = shape.empty() ? 1 : shape.back();
  if (shape.size() >= 2)
    elements = getTileStrides(shape, element).front() * shape.front();
  return llvm::alignTo(elements * getStorageBytes(element), kRowBytes);
}

/// What the decays of EmitDecay.cpp keep per column of an operand.
static int64_t getTemporaryBytes(Operation *op) {
  if (auto apply = dyn_cast<tile::DecayedApplyOp>(op))
    return getTileBytes(cast<RankedTensorType>(apply.getY().getType()));
  if (auto solve = dyn_cast<tile::SolveOp>(op))
    return solve.getDecay() ? getTileBytes(cast<RankedTensorType>(solve.getRhs().getType())) : 0;
  return 0;
}

//===----------------------------------------------------------------------===//
// Layouts
//===----------------------------------------------------------------------===//

std::optional<SmallVector<int64_t>> gpu::getLoopDims(const Access &access, int64_t numLoops) {
  SmallVector<int64_t> dims(numLoops, -1);
  for (auto [dim, row] : llvm::enumerate(access.coefficients)) {
    if (access.constants[dim] != 0)
      return std::nullopt;
    bool found = false;
    for (auto [loop, coefficient] : llvm::enumerate(row)) {
      if (coefficient == 0)
        continue;
      if (coefficient != 1 || found || dims[loop] >= 0)
        return std::nullopt;
      dims[loop] = dim;
      found = true;
    }
  }
  return dims;
}

/// The loop that each dimension of a tile is; -1: the dimension is no loop.
static SmallVector<int64_t> getDimLoops(ArrayRef<int64_t> loopDims, int64_t rank) {
  SmallVector<int64_t> loops(rank, -1);
  for (auto [loop, dim] : llvm::enumerate(loopDims))
    if (dim >= 0)
      loops[dim] = loop;
  return loops;
}

static ArrayRef<int64_t> getShape(Value tile) {
  return cast<RankedTensorType>(tile.getType()).getShape();
}

/// Whether what a thread needs of a tile, working along `work`, is in its registers.
static bool isAvailable(const Layout &tile, const Layout &work, const Access &access,
                        ArrayRef<int64_t> shape) {
  auto loopDims = getLoopDims(access, work.shape.size());
  if (!loopDims)
    return false;
  Layout needed = work.project(getDimLoops(*loopDims, shape.size()), shape);
  return needed.threads == tile.threads && llvm::all_of(needed.registers, [&](const Position &at) {
           return tile.findRegister(at) >= 0;
         });
}

/// The tiles that have a layout, in the order of the program.
static SmallVector<Value> collectTiles(func::FuncOp phase,
                                       const llvm::DenseMap<Value, Layout> &layouts) {
  SmallVector<Value> tiles;
  auto add = [&](ValueRange values) {
    for (Value value : values)
      if (layouts.contains(value))
        tiles.push_back(value);
  };
  phase.walk<WalkOrder::PreOrder>([&](Operation *op) {
    add(op->getResults());
    if (auto loop = dyn_cast<scf::ForOp>(op))
      add(loop.getRegionIterArgs());
  });
  return tiles;
}

/// Whether elements at different positions of the dimension are in different lanes only, or in one
/// thread: then shuffles reach them all.
static bool isWithinWarp(const Layout &layout, int64_t dim, int64_t warp) {
  int64_t before = 1;
  for (const Digit &digit : layout.threads) {
    if (digit.dim == dim && (before * digit.size > warp || !llvm::isPowerOf2_64(digit.size)))
      return false;
    before *= digit.size;
  }
  return true;
}

/// Spreads layouts from products through a phase, for one choice of orientations.
class Homes::Spreader {
public:
  Spreader(func::FuncOp phase, const Machine &machine) : phase(phase), machine(machine) {
    phase.walk([&](linalg::LinalgOp op) {
      if (std::optional<Product> product = gpu::getProduct(op, machine, false))
        if (std::optional<Product> other = gpu::getProduct(op, machine, true))
          products.push_back({op, *product, *other});
    });
  }

  /// The choice with the least cost.
  Choice choose();
  /// Whether the use reads shared memory though the tile lives in registers.
  bool needsMemory(OpOperand &use, const Choice &choice) const;

private:
  struct Candidate {
    Operation *op;
    Product straight, transposed;
  };
  using Orientations = SmallVector<bool>;

  Choice spread(const Orientations &orientations);
  bool spreadOnce(Choice &choice);
  void visitLinalg(linalg::LinalgOp op, Choice &choice) const;
  int64_t getCost(const Choice &choice);

  func::FuncOp phase;
  const Machine &machine;
  std::vector<Candidate> products;
};

/// The most registers that one tile may take of a thread.
static constexpr size_t kMostRegisters = 128;
/// How many rounds of a loop are assumed.
static constexpr int64_t kRounds = 16;

/// Sets or removes an entry; whether that changed anything.
static bool update(llvm::DenseMap<Value, Layout> &layouts, Value tile, const Layout *layout) {
  auto it = layouts.find(tile);
  if (!layout) {
    if (it == layouts.end())
      return false;
    layouts.erase(it);
    return true;
  }
  if (it != layouts.end() && it->second.isSameAs(*layout))
    return false;
  layouts[tile] = *layout;
  return true;
}

void Homes::Spreader::visitLinalg(linalg::LinalgOp op, Choice &choice) const {
  choice.work.erase(op);
  FailureOr<SmallVector<Access>> accesses = getAccesses(op);
  if (failed(accesses))
    return;
  int64_t numLoops = op.getNumLoops();
  SmallVector<utils::IteratorType> kinds = op.getIteratorTypesArray();
  bool reduces = numLoops != (int64_t)op.getNumParallelLoops();
  for (unsigned index = 0; reduces && index < op.getNumDpsInits(); ++index)
    if (!getCombiner(op, index) || !getElementTypeOrSelf(op->getResult(index).getType()).isF32())
      return;
  for (OpOperand *operand : op.getDpsInputOperands()) {
    auto layout = choice.layouts.find(operand->get());
    if (layout == choice.layouts.end())
      continue;
    const Access &access = (*accesses)[operand->getOperandNumber()];
    auto loopDims = getLoopDims(access, numLoops);
    // The operand must have all loops.
    if (!loopDims || llvm::is_contained(*loopDims, -1) ||
        (int64_t)layout->second.shape.size() != numLoops)
      continue;
    Layout work = layout->second.project(*loopDims, op.getStaticLoopRanges());
    bool reaches = llvm::all_of(llvm::seq<int64_t>(0, numLoops), [&](int64_t loop) {
      return kinds[loop] == utils::IteratorType::parallel ||
             isWithinWarp(work, loop, machine.chip.warp);
    });
    if (!reaches)
      continue;
    choice.work[op] = work;
    break;
  }
  auto work = choice.work.find(op);
  for (auto [index, result] : llvm::enumerate(op->getResults())) {
    if (work == choice.work.end()) {
      choice.layouts.erase(result);
      continue;
    }
    auto loopDims = getLoopDims((*accesses)[op.getNumDpsInputs() + index], numLoops);
    if (!loopDims) {
      choice.layouts.erase(result);
      continue;
    }
    ArrayRef<int64_t> shape = getShape(result);
    Layout layout = work->second.project(getDimLoops(*loopDims, shape.size()), shape);
    if (isa<FloatType>(getElementTypeOrSelf(result.getType())))
      choice.layouts[result] = layout;
    else
      choice.layouts.erase(result);
  }
}

/// One pass over the phase; whether what a loop carries changed.
bool Homes::Spreader::spreadOnce(Choice &choice) {
  bool changed = false;
  auto find = [&](Value tile) -> const Layout * {
    auto it = choice.layouts.find(tile);
    return it == choice.layouts.end() ? nullptr : &it->second;
  };
  phase.walk<WalkOrder::PostOrder>([&](Operation *op) {
    if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op)) {
      if (auto product = choice.products.find(op); product != choice.products.end()) {
        if (product->second.accumulator.registers.size() <= kMostRegisters)
          choice.layouts[op->getResult(0)] = product->second.accumulator;
      } else {
        visitLinalg(linalgOp, choice);
      }
    } else if (auto loop = dyn_cast<scf::ForOp>(op)) {
      for (auto [arg, result, yielded] :
           llvm::zip_equal(loop.getRegionIterArgs(), loop.getResults(), loop.getYieldedValues())) {
        const Layout *layout = find(yielded);
        std::optional<Layout> copy = layout ? std::optional<Layout>(*layout) : std::nullopt;
        changed |= update(choice.layouts, arg, copy ? &*copy : nullptr);
        update(choice.layouts, result, copy ? &*copy : nullptr);
      }
    } else if (auto branch = dyn_cast<scf::IfOp>(op); branch && branch.elseBlock()) {
      for (auto [index, result] : llvm::enumerate(branch.getResults())) {
        const Layout *layout = find(branch.thenYield().getOperand(index));
        if (!layout)
          layout = find(branch.elseYield().getOperand(index));
        std::optional<Layout> copy = layout ? std::optional<Layout>(*layout) : std::nullopt;
        update(choice.layouts, result, copy ? &*copy : nullptr);
      }
    }
  });
  return changed;
}

Homes::Choice Homes::Spreader::spread(const Orientations &orientations) {
  Choice choice;
  for (auto [candidate, isTransposed] : llvm::zip_equal(products, orientations))
    choice.products[candidate.op] = isTransposed ? candidate.transposed : candidate.straight;
  // What a loop carries is known at its end, and changes what its body makes of it. Chains of
  // loops are short; what does not settle lives in memory.
  for (int round = 0; round < 6; ++round)
    if (!spreadOnce(choice))
      break;
  phase.walk([&](scf::ForOp loop) {
    for (auto [arg, result, yielded] :
         llvm::zip_equal(loop.getRegionIterArgs(), loop.getResults(), loop.getYieldedValues())) {
      auto home = choice.layouts.find(arg), next = choice.layouts.find(yielded);
      bool isStable = home != choice.layouts.end() && next != choice.layouts.end() &&
                      home->second.isSameAs(next->second);
      if (!isStable) {
        choice.layouts.erase(arg);
        choice.layouts.erase(result);
      }
    }
  });
  // A tile that every reader wants in memory is written there at once.
  for (Value tile : collectTiles(phase, choice.layouts)) {
    Operation *op = tile.getDefiningOp();
    if (op && isa<linalg::LinalgOp>(op) &&
        llvm::all_of(tile.getUses(), [&](OpOperand &use) { return needsMemory(use, choice); }))
      choice.layouts.erase(tile);
  }
  return choice;
}

bool Homes::Spreader::needsMemory(OpOperand &use, const Choice &choice) const {
  const Layout &layout = choice.layouts.find(use.get())->second;
  Operation *op = use.getOwner();
  // Loops, branches and the caller's tensors are filled from wherever the tile is.
  if (isa<tile::StoreOp>(op))
    return false;
  auto isFilled = [&](Value target) {
    auto home = choice.layouts.find(target);
    return home != choice.layouts.end() && !home->second.isSameAs(layout);
  };
  if (auto loop = dyn_cast<scf::ForOp>(op))
    return isFilled(loop.getTiedLoopResult(&use));
  if (isa<scf::YieldOp>(op))
    return isFilled(op->getParentOp()->getResult(use.getOperandNumber()));
  unsigned number = use.getOperandNumber();
  if (auto it = choice.products.find(op); it != choice.products.end()) {
    const Product &product = it->second;
    const Layout &wanted = number == 2              ? product.accumulator
                           : number == product.left ? product.leftLayout
                                                    : product.rightLayout;
    return !layout.isSameAs(wanted);
  }
  auto work = choice.work.find(op);
  if (work == choice.work.end())
    return true;
  FailureOr<SmallVector<Access>> accesses = getAccesses(cast<linalg::LinalgOp>(op));
  return !isAvailable(layout, work->second, (*accesses)[number], getShape(use.get()));
}

/// Bytes that move between registers and shared memory, rounds of loops counted.
int64_t Homes::Spreader::getCost(const Choice &choice) {
  int64_t cost = 0;
  auto getWeight = [&](Operation *op) {
    int64_t weight = 1;
    for (Operation *parent = op->getParentOp(); parent != phase; parent = parent->getParentOp())
      if (isa<scf::ForOp>(parent))
        weight *= kRounds;
    return weight;
  };
  auto getBytes = [&](Value tile) { return getTileBytes(cast<RankedTensorType>(tile.getType())); };
  for (Value tile : collectTiles(phase, choice.layouts)) {
    bool isCopied =
        llvm::any_of(tile.getUses(), [&](OpOperand &use) { return needsMemory(use, choice); });
    if (isCopied)
      cost += 2 * getBytes(tile) * getWeight(tile.getParentBlock()->getParentOp());
  }
  phase.walk([&](linalg::LinalgOp op) {
    for (Value operand : op->getOperands())
      if (isa<RankedTensorType>(operand.getType()) && needsPlace(operand) &&
          !choice.layouts.contains(operand))
        cost += getBytes(operand) * getWeight(op);
  });
  return cost;
}

/// Starts from all products straight and all transposed, and turns single ones while that helps.
Homes::Choice Homes::Spreader::choose() {
  Choice best;
  int64_t least = -1;
  bool first = machine.chainsRight();
  for (bool start : {first, !first}) {
    Orientations orientations(products.size(), start);
    Choice choice = spread(orientations);
    int64_t cost = getCost(choice);
    for (size_t turned = 0; turned < products.size(); ++turned) {
      orientations[turned] = !orientations[turned];
      Choice other = spread(orientations);
      int64_t otherCost = getCost(other);
      if (otherCost < cost) {
        choice = std::move(other);
        cost = otherCost;
      } else {
        orientations[turned] = !orientations[turned];
      }
    }
    if (least < 0 || cost < least) {
      best = std::move(choice);
      least = cost;
    }
    if (products.empty())
      break;
  }
  return best;
}

Homes::Homes(func::FuncOp phase, Machine &machine) {
  // A promise that products may leave something out; here they compute all of it.
  phase.walk([](tile::BandOp band) { band.erase(); });
  Spreader spreader(phase, machine);
  choice = spreader.choose();
  for (Value tile : collectTiles(phase, choice.layouts)) {
    SmallVector<OpOperand *> uses;
    for (OpOperand &use : tile.getUses())
      if (spreader.needsMemory(use, choice))
        uses.push_back(&use);
    if (uses.empty())
      continue;
    OpBuilder b(phase.getContext());
    b.setInsertionPointAfterValue(tile);
    auto type = cast<RankedTensorType>(tile.getType());
    Value empty = tensor::EmptyOp::create(b, tile.getLoc(), type.getShape(), type.getElementType());
    auto copy = linalg::CopyOp::create(b, tile.getLoc(), tile, empty);
    choice.work[copy] = choice.layouts.find(tile)->second;
    for (OpOperand *use : uses)
      use->set(copy.getResult(0));
  }
  for (const auto &[op, product] : choice.products)
    joint.add(op, product, machine);
  choosePlaces(phase, machine);
}

/// Loads run a round ahead unless their second buffers leave room for fewer blocks than two, which
/// hide each other's waits as well.
void Homes::choosePlaces(func::FuncOp phase, const Machine &machine) {
  auto needsShared = [&](Value tile) { return needsPlace(tile) && !getLayout(tile); };
  auto getBytes = [&](Value tile) {
    return getTileBytes(cast<RankedTensorType>(tile.getType()), getPanels(tile));
  };
  auto getAlignment = [&](Value tile) {
    return getPanels(tile) ? getPanels(tile).getAlignment() : kRowBytes;
  };
  places = assignPlaces(
      phase, {needsShared, getBytes, getTemporaryBytes, /*isDouble=*/nullptr, getAlignment});
  if (!machine.copiesAsynchronously())
    return;
  DenseMap<Operation *, SmallVector<tile::LoadOp>> found;
  phase.walk([&](scf::ForOp loop) {
    SmallVector<tile::LoadOp> loads = findPrefetches(phase, loop);
    if (!loads.empty())
      found[loop] = std::move(loads);
  });
  auto isDouble = [&](Value tile) {
    auto load = tile.getDefiningOp<tile::LoadOp>();
    auto loads = load ? found.find(load->getParentOp()) : found.end();
    return loads != found.end() && llvm::is_contained(loads->second, load);
  };
  TilePlaces doubled =
      assignPlaces(phase, {needsShared, getBytes, getTemporaryBytes, isDouble, getAlignment});
  auto countBlocks = [&](const TilePlaces &chosen) {
    return machine.chip.sharedBytes / std::max<int64_t>(chosen.bytes, 1);
  };
  if (countBlocks(doubled) < std::clamp<int64_t>(countBlocks(places), 1, 2))
    return;
  places = std::move(doubled);
  prefetches = std::move(found);
}

ArrayRef<tile::LoadOp> Homes::getPrefetches(scf::ForOp loop) const {
  auto loads = prefetches.find(loop);
  return loads == prefetches.end() ? ArrayRef<tile::LoadOp>() : loads->second;
}

bool Homes::isPrefetched(tile::LoadOp load) const {
  auto loop = dyn_cast<scf::ForOp>(load->getParentOp());
  return loop && llvm::is_contained(getPrefetches(loop), load);
}

int64_t Homes::getOffset(Value tile) const {
  auto place = places.offsets.find(tile);
  return place == places.offsets.end() ? -1 : place->second;
}

const Layout *Homes::getLayout(Value tile) const {
  auto layout = choice.layouts.find(tile);
  return layout == choice.layouts.end() ? nullptr : &layout->second;
}

const Layout *Homes::getWork(Operation *op) const {
  auto work = choice.work.find(op);
  return work == choice.work.end() ? nullptr : &work->second;
}

const Product *Homes::getProduct(Operation *op) const {
  auto product = choice.products.find(op);
  return product == choice.products.end() ? nullptr : &product->second;
}
