//===- TilePhase.h - Emits one phase of a tile program ----------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Emission is by demand: a phase stores results, and a value is emitted when a
// consumer first asks for it, in the outermost loop in which it does not change.
//
//  * TileValues.cpp    values by demand, fused elementwise expressions;
//  * TileProducts.cpp  sums of products as contractions;
//  * TileReads.cpp     loads of arguments and workspaces;
//  * TilePadding.cpp   what values are past the end of the tokens;
//  * TileRows.cpp      scans, recurrences row by row;
//  * TileBlocks.cpp    recurrences by blocks;
//  * TilePrefix.cpp    prefixes along rows and along keys;
//  * TileSizes.cpp     how large tiles are;
//  * TileStream.cpp    reductions over keys, block by block;
//  * TileReductions.cpp  those without the maximum of a softmax;
//  * TileLargest.cpp   selections over keys, and along feature axes;
//  * TileKeys.cpp      the loops over keys, and masks;
//  * TileSplit.cpp     reductions over all tokens of a step form, in parts;
//  * TilePhase.cpp     loops and stores around all that.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_PASSES_TILEPHASE_H
#define MIXWRIGHT_PASSES_TILEPHASE_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "passes/TileBuilder.h"
#include "passes/TileMask.h"
#include "passes/TilePlan.h"
#include "passes/TileScan.h"

namespace mix {

struct TileParameters {
  /// Chunks of tokens, or one token after the other; and whether the mixer is a step form.
  bool isChunked, isStep;
  /// The types of real tiles and workspaces; of inputs, params and outputs; and of states.
  mlir::Type element, tensorElement, stateElement;
  /// Tokens in a chunk (0: chosen), positions per task, keys per block, and features per
  /// task of an elementwise recurrence.
  int64_t chunk, rows, keys, featureBlock;
  /// The most elements of the states of a task, if they can be cut; 0: any number.
  int64_t stateElements = 0;
  /// Tokens of the sequence that a task of a split reduction walks; 0: none is split.
  int64_t splitRows = 0;

  /// A step of few tokens, each of which updates the states where they are.
  bool isByToken() const { return isStep && !isChunked; }
};

/// The arguments of every phase of a mixer, before its workspaces and the `given` flags.
struct TileSignature {
  struct Argument {
    llvm::StringRef name, kind;
    /// The type of the level above: axes and sizes.
    mlir::RankedTensorType type;
  };
  llvm::SmallVector<Argument> arguments;
  /// The argument that stores result `n`; of a cache, the cache.
  llvm::SmallVector<unsigned> resultArgument;
  /// The argument that holds the initial value of state `s`.
  llvm::SmallVector<unsigned> stateArgument;
  /// Names of the states in order.
  llvm::SmallVector<llvm::StringRef> stateNames;
};

/// The axis of a tile along the keys that a reduction walks.
inline constexpr llvm::StringLiteral kKey = "key";

/// A range of positions of a token space that a tile covers.
struct Slot {
  /// The name of the tile's axis; empty for exactly one position.
  llvm::StringRef label;
  llvm::StringRef space;
  /// The first position, and for one position of a chunk its row.
  mlir::Value offset, row;
  /// The loop whose iterations the range changes with.
  unsigned scope;
};

/// Which slot each index variable walks; `position` is the slot of the position of
/// the enclosing `mix.for`. Slot 0 is none.
struct Env {
  llvm::SmallVector<std::pair<llvm::StringRef, unsigned>, 2> variables;
  unsigned position = 0;

  unsigned find(llvm::StringRef variable) const {
    for (auto [name, slot] : variables)
      if (name == variable)
        return slot;
    return 0;
  }
};

/// A part of a fused elementwise operation: a tile, or a value to be computed in place.
struct Term {
  Term(Tile tile) : tile(std::move(tile)) {}
  Term(mlir::Value value, const Env &env) : value(value), env(env) {}
  Tile tile;
  mlir::Value value;
  Env env;
};

struct KeyBlock;
struct KeySum;
struct KeyJob;

class PhaseEmitter {
public:
  PhaseEmitter(TilePlan &plan, unsigned phase, const TileSignature &signature,
               mlir::func::FuncOp mixer, const TileParameters &parameters);

  /// Emits the phase's function.
  mlir::func::FuncOp emit();
  /// Tokens in a chunk, or positions per task of the grid.
  int64_t getNumRows() const;
  /// Feature blocks of the grid.
  int64_t getNumFeatureBlocks() const;
  /// Gives the function an argument for every workspace of the plan, also those that only
  /// other phases use. Values that stay the same keep their types.
  void addWorkspaces();
  /// The first thing that has no tile program, if any; then the function is void.
  std::optional<TileFailure> failure;

private:
  using Key = std::pair<mlir::Value, uint64_t>;
  using Axes = llvm::SmallVector<llvm::StringRef, 3>;

  /// A block under construction.
  struct Scope {
    mlir::Block *block;
    /// New code goes before this operation (the loop that is being filled), or to the end.
    mlir::Operation *before = nullptr;
    /// A branch: what belongs to the block around it is emitted here.
    bool isBranch = false;
    llvm::DenseMap<Key, Tile> tiles;
  };

  using RowBody = llvm::function_ref<void(
      unsigned scope, unsigned slot, llvm::ArrayRef<Tile> states, llvm::SmallVectorImpl<Tile> &next,
      llvm::SmallVectorImpl<Tile> &outputs)>;

  // TileSizes.cpp
  void findBlockAxis(bool isEverywhere);
  void chooseFeatureBlock();

  // TilePhase.cpp: loops
  void emitSequential();
  void emitSteps();
  /// What the recurrences of the phase start from, and the values that stand for their states.
  llvm::SmallVector<std::pair<mlir::Value, mlir::Value>> getStates();
  void emitAnchor(mlir::Operation *op);
  Env getAnchorEnv(mlir::Operation *op) const;
  unsigned addSlot(Slot slot);
  void moveTo(unsigned scope);
  /// Runs `fn` with the builder in a scope.
  template <typename Fn> auto inScope(unsigned scope, Fn fn) {
    mlir::OpBuilder::InsertionGuard guard(tb.builder);
    moveTo(scope);
    return fn();
  }
  /// Opens a loop in `scope`, where the builder is. `body` gets its scope, the position
  /// and the carried tiles, and returns the next ones.
  llvm::SmallVector<Tile>
  loop(unsigned scope, mlir::Value lower, mlir::Value upper, int64_t step,
       llvm::ArrayRef<Tile> carried,
       llvm::function_ref<llvm::SmallVector<Tile>(unsigned, mlir::Value, llvm::ArrayRef<Tile>)>
           body);
  /// In `scope`, where the builder is: `condition ? tiles : otherwise()`.
  llvm::SmallVector<Tile> branchAll(unsigned scope, mlir::Value condition,
                                    llvm::ArrayRef<Tile> tiles,
                                    llvm::function_ref<llvm::SmallVector<Tile>()> otherwise);
  Tile branch(unsigned scope, mlir::Value condition, const Tile &tile,
              llvm::function_ref<Tile()> otherwise);
  /// Records the first reason, and gives a tile of the type to go on with.
  Tile fail(mlir::Location loc, const llvm::Twine &reason, mlir::Type type);

  // TilePhase.cpp: memory
  void setSizes(mlir::Type type);
  mlir::MemRefType getViewType(mlir::RankedTensorType type, mlir::Type real) const;
  /// The type in which a real tensor of the signature is stored.
  mlir::Type getRealType(const TileSignature::Argument &argument) const;
  mlir::Value getArgument(unsigned n) { return function.getArgument(n); }
  mlir::Value getWorkspace(mlir::Value value);
  mlir::Value getAxisSize(llvm::StringRef axis);
  /// The number of tokens of earlier calls, as `index`; of any form but a step null.
  mlir::Value getPosition();
  Tile emitInitial(InitialOp op);
  /// Loads a tile of a tensor over `type`: dimension `n` at the slot `slotOf[n]` (0: all
  /// of it).
  Tile load(mlir::Value view, mlir::RankedTensorType type, llvm::ArrayRef<unsigned> slotOf);
  /// How a dimension of a tensor is loaded: from an offset, as an axis of the tile; without
  /// an axis, one position.
  struct Access {
    mlir::Value offset;
    llvm::StringRef axis;
  };
  Access getWholeAxis(mlir::RankedTensorType type, unsigned dim);
  Tile load(mlir::Value view, llvm::ArrayRef<Access> accesses);
  void store(Tile tile, mlir::Value view, mlir::RankedTensorType type, mlir::Value row,
             llvm::StringRef label = kRow);
  void storeRows();
  void appendRows(AppendOp append);
  void storeFinal(mlir::Value final, const Tile &tile);
  mlir::Value getStateView(mlir::Value initial);

  // TileValues.cpp: where a value lives
  Key getKey(mlir::Value value, const Env &env) const;
  bool isInPhase(mlir::Operation *op) const;
  mlir::Type convertType(mlir::Type type) const;
  unsigned getScope(mlir::Value value, const Env &env);
  unsigned getScope(const Term &term);
  Axes getAxesOf(mlir::Value value, const Env &env);
  Axes getAxesOf(const Term &term);
  Axes mapAxes(llvm::ArrayRef<llvm::StringRef> axes, const Env &env) const;
  Axes sortAxes(mlir::Value value, const Env &env, AxisList axes) const;

  // TileValues.cpp, TileProducts.cpp: values by demand
  Tile get(mlir::Value value, const Env &env);
  Tile emitValue(mlir::Value value, const Env &env, unsigned scope, unsigned home);
  void define(mlir::Value value, const Env &env, unsigned scope, const Tile &tile);
  Tile emitFeatureReduce(ReduceOp reduce, const Env &env, unsigned scope);
  llvm::SmallVector<Term> getFactors(mlir::Value value, const Env &env);
  struct ScaledSum {
    llvm::SmallVector<Term> factors;
    llvm::SmallVector<llvm::StringRef> reduced;
  };
  std::optional<ScaledSum> getScaledSum(mlir::Value value, const Env &env);
  /// Factors that become one operand of a contraction.
  struct FactorGroup {
    llvm::SmallVector<Term> terms;
    Axes axes;
    unsigned scope = 1;
  };
  void joinGroup(FactorGroup &group, const Term &term);
  /// Whether the group is a tile of a 16-bit type just as it is loaded.
  bool isNarrow(const FactorGroup &group);
  llvm::SmallVector<FactorGroup> groupFactors(llvm::ArrayRef<Term> factors, AxisList reduced);
  Tile emitGroup(const FactorGroup &group, unsigned scope);
  /// `acc` plus the sum over `reduced` of the product of the factors.
  Tile emitProductSum(llvm::ArrayRef<Term> factors, AxisList axes, AxisList reduced, unsigned scope,
                      const Tile *acc = nullptr);

  // TileValues.cpp: elementwise work fused into one operation
  struct Fusion;
  Tile fuse(llvm::ArrayRef<Term> terms, AxisList axes, unsigned scope, ElementFn fn,
            mlir::Type resultElement);
  Tile fuseReduce(ReduceKind kind, llvm::ArrayRef<Term> terms, AxisList axes, AxisList reduced,
                  unsigned scope, ElementFn fn, mlir::Type resultElement);
  Tile fuseTerms(llvm::ArrayRef<Term> terms, AxisList domain, unsigned scope, ElementFn fn,
                 llvm::function_ref<Tile(llvm::ArrayRef<Tile>, ElementFn)> emit);
  bool isCostly(mlir::Value value);
  bool isInlined(Fusion &fusion, mlir::Value value, const Env &env);
  void collectLeaves(Fusion &fusion, mlir::Value value, const Env &env, bool isFinal);
  mlir::Value buildElement(Fusion &fusion, ElementBuilder &body, mlir::Value value, const Env &env,
                           llvm::DenseMap<Key, mlir::Value> &done);
  mlir::Value buildConstant(ElementBuilder &body, mlir::arith::ConstantOp constant);

  // TileReads.cpp
  /// How a read is computed: `stored` is the argument or workspace that it loads from; else
  /// `inner` is the value that it computes, in `env`. Neither: it cannot be computed.
  struct ReadPlan {
    mlir::Value stored, inner;
    Env env;
  };
  ReadPlan planRead(ReadOp read, const Env &env);
  Axes getAxesOfRead(ReadOp read, const Env &env);
  Tile emitRead(ReadOp read, const Env &env, unsigned scope);
  /// The offset plus the integers, or minus those with `true`.
  mlir::Value shiftOffset(mlir::Value offset, llvm::ArrayRef<std::pair<mlir::Value, bool>> shifts,
                          const Env &env);
  /// A read at computed positions.
  struct Gather {
    mlir::Value view;
    mlir::RankedTensorType type;
    /// Per dimension of the tensor the number of its index, or -1.
    llvm::SmallVector<int> indexOf;
  };
  Tile emitGather(ReadOp read, const Env &env, mlir::Value view, mlir::Value stored,
                  unsigned scope);
  Tile gatherAlong(const Gather &gather, llvm::ArrayRef<Tile> indices, AxisList walked,
                   AxisList axes, unsigned scope);

  // TilePadding.cpp
  /// The value of all elements of the rows of a slot that lie past the end of its space, if
  /// that is known.
  std::optional<double> getPadding(mlir::Value value, const Env &env, unsigned slot);
  std::optional<double> getPaddingOfRead(ReadOp read, const Env &env, unsigned slot);

  // TileRows.cpp
  mlir::Value getRowsLeft();
  bool dependsOnState(mlir::Value value);
  bool dependsOnPosition(mlir::Value value);
  /// Elements per token of the largest tensor that the value reads at the position.
  int64_t getRowElements(mlir::Value value);
  /// Whether a value of a recurrence's body is computed for a whole chunk at once.
  bool isHoisted(mlir::Value value);
  void thaw(ForOp op, unsigned scope, unsigned slot, llvm::ArrayRef<Tile> states,
            llvm::SmallVectorImpl<Tile> &frozen);
  llvm::SmallVector<Tile> rowLoop(llvm::ArrayRef<Tile> states, llvm::ArrayRef<Tile> outputs,
                                  RowBody body);
  void emitFor(ForOp op);
  void emitScan(AffineScanOp op);
  void emitScanByRows(AffineScanOp op, const ChunkScan &scan);
  void defineScan(AffineScanOp op, llvm::ArrayRef<Tile> results);
  Tile getRows(mlir::Value value, const Env &env, std::optional<double> neutral);

  // TileBlocks.cpp
  llvm::SmallVector<std::pair<mlir::Value, mlir::Value>> getStatesOfBlocks(ForBlocksOp op);
  void emitForBlocks(ForBlocksOp op);

  // TilePrefix.cpp
  struct ScannedTile {
    Tile tile, last;
  };
  /// The prefixes along the first axis of `source`, in `scope` where the builder is, after
  /// elements whose total is `start`; and the last of them. `left` positions exist.
  ScannedTile scanFrom(unsigned scope, PrefixKind kind, const Tile &start, const Tile &source,
                       mlir::Value left);
  /// The total before the first element.
  Tile getPrefixStart(PrefixOp op, const Env &env);
  void emitPrefix(PrefixOp op);
  /// The prefixes along the keys that the jobs need, in an order of computation.
  llvm::SmallVector<PrefixOp> getKeyPrefixes(llvm::ArrayRef<KeyJob *> jobs);
  /// The first key that counts for one of the prefixes, or is the reductions' `first`; null:
  /// not known.
  mlir::Value getFirstKey(llvm::ArrayRef<PrefixOp> prefixes, MaskAnalysis &analysis,
                          llvm::StringRef variable, mlir::Value first);
  /// Defines the block's prefixes, and returns the totals after it.
  llvm::SmallVector<Tile> emitKeyPrefixes(const KeyBlock &block, llvm::ArrayRef<Tile> starts);

  // TileKeys.cpp
  using KeyBody =
      llvm::function_ref<llvm::SmallVector<Tile>(const KeyBlock &, llvm::ArrayRef<Tile>)>;
  MaskAnalysis makeMaskAnalysis(const Env &env);
  /// Calls `body` for every block of the variables' positions at which the mask may hold:
  /// the last variable in blocks, the others position by position around it.
  llvm::SmallVector<Tile> keyLoop(llvm::ArrayRef<llvm::StringRef> variables, KeyBlock block,
                                  llvm::ArrayRef<Tile> carried, KeyBody body);
  mlir::Value isMaskedOut(const KeyBlock &block);
  mlir::Value classify(KeyBlock &block);
  /// The tile with `neutral` where an element does not count.
  llvm::SmallVector<mlir::Value> getBand(const KeyBlock &block);
  void promiseBand(const KeyBlock &block, Tile tile);
  Tile applyMask(const KeyBlock &block, const Tile &tile, mlir::Value neutral);

  // TileLargest.cpp
  /// A selection along a feature axis.
  Tile emitFeatureTopK(TopKOp op, const Env &env, unsigned scope);
  void addLargest(LargestOp op, std::vector<KeyJob> &jobs);
  llvm::SmallVector<Tile> insertStep(const KeyBlock &block, const KeyJob &job,
                                     llvm::ArrayRef<Tile> carried);
  void defineLargest(LargestOp op, const KeyJob &job);

  // TileStream.cpp: sums of products
  KeySum makeKeySum(mlir::Value result, mlir::Value summand,
                    llvm::ArrayRef<llvm::StringRef> reduced, AxisList common, const Env &env);
  Term getKeyed(const KeyBlock &block, mlir::Value value);
  Tile getPaired(const KeyBlock &block, const KeySum &sum, const Tile &weights);
  Tile getPairProduct(const KeyBlock &block, const KeySum &sum);
  Tile accumulate(const KeyBlock &block, AxisList reduced, const KeySum &sum, const Tile &weights,
                  const Tile &acc);
  void defineSum(const KeySum &sum, const Env &env, Tile tile);

  // TileStream.cpp: reductions and the loops that they share
  Tile expShifted(const Tile &x, const Tile &shift);
  Tile makeFinite(const Tile &maximum);
  Tile combine(ReduceKind kind, const Tile &a, const Tile &b);
  KeyJob makeJob(mlir::Operation *op, llvm::ArrayRef<llvm::StringRef> reduced, mlir::Value mask,
                 bool isSingly = false);
  void addSources(StreamedReductionOp op, std::vector<KeyJob> &jobs);
  void addJobs(mlir::Operation *op, std::vector<KeyJob> &jobs);
  llvm::SmallVector<Tile> onlineStep(const KeyBlock &block, const KeyJob &job,
                                     llvm::ArrayRef<Tile> carried);
  llvm::SmallVector<Tile> runStep(const KeyBlock &block, const KeyJob &job,
                                  llvm::ArrayRef<Tile> carried);
  void runTerm(KeyJob &job);
  void runJobs(llvm::ArrayRef<KeyJob *> jobs);
  void finishSources(StreamedReductionOp op, llvm::ArrayRef<KeyJob> jobs);
  void emitStream(mlir::Operation *op);

  // TileReductions.cpp
  void addReduction(ReduceOp op, std::vector<KeyJob> &jobs);
  Tile foldStep(const KeyBlock &block, const KeyJob &job, const Tile &carried);

  // TileSplit.cpp: reductions in parts
  void emitSplit(mlir::scf::ForallOp grid);
  /// The keys `[lower, upper)` of a walk over `space` that the task sees.
  std::pair<mlir::Value, mlir::Value> splitRange(llvm::StringRef space, bool isBlocked,
                                                 mlir::Value lower, mlir::Value upper);
  /// What only one task may count: the tile in the first, `neutral` in others.
  Tile countOnce(const Tile &tile, mlir::Value neutral);
  Tile loadPart(mlir::Value value, const Env &env, mlir::Value part);
  void mergeParts(mlir::Operation *op, const Env &env, unsigned scope);

  TilePlan &plan;
  TilePhase &phase;
  const TileSignature &signature;
  mlir::func::FuncOp mixer;
  const TileParameters &parameters;
  TileBuilder tb;
  mlir::func::FuncOp function;

  std::vector<Scope> scopes;
  std::vector<Slot> slots;
  /// The feature axis that the grid cuts into blocks, if any, its size and that of a block,
  /// and the start of the task's block.
  llvm::StringRef blockAxis;
  int64_t numFeatures = 0, featureBlock = 0;
  mlir::Value blockStart;
  /// The space of the rows that the phase computes, and of a split phase the task's split.
  llvm::StringRef rowSpace;
  mlir::Value split;
  /// The scope and the slot of the rows that the phase computes.
  unsigned rowScope = 1, rowSlot = 0;
  /// The carried tiles of a sequential phase: states and carries of prefixes.
  llvm::DenseMap<mlir::Value, Tile> carried;
  /// Their next values.
  llvm::DenseMap<mlir::Value, Tile> next;
  llvm::StringMap<mlir::Value> spaceSizes;
  /// What is known about values: their loop, their axes, whether they are costly or depend
  /// on a state.
  llvm::DenseMap<Key, unsigned> scopeOf;
  llvm::DenseMap<Key, Axes> axesOf;
  llvm::DenseMap<Key, std::optional<double>> paddingOf;
  llvm::DenseMap<mlir::Value, bool> costly, stateful;
  llvm::SmallVector<mlir::Value> given;
  unsigned numWorkspaces = 0;
  llvm::DenseMap<mlir::Operation *, bool> emitted;
};

} // namespace mix

#endif // MIXWRIGHT_PASSES_TILEPHASE_H
