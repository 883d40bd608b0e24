//===- Layouts.h - The choice of lane axes of a phase -----------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where the lane axis of a tile is not the one that a user wants, the tile is transposed, once
// per wanted axis, right after its definition. Chosen is the set of
// alternatives with the least cycles for ops and transposes, each weighted by how often it
// runs: a descent from several starts. A start prefers one axis of the program,
// e.g. "queries", for the lanes of all tiles that have it.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_CODEGEN_CPU_LAYOUTS_H
#define MIXWRIGHT_CODEGEN_CPU_LAYOUTS_H

#include "codegen/cpu/LayoutAlternatives.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/EquivalenceClasses.h"

namespace mix::cpu {

class Layouts {
public:
  /// Chooses for all tiles of a phase.
  Layouts(mlir::func::FuncOp phase, int64_t lanes);

  /// The lane axis with which the tile is made.
  int64_t getAxis(mlir::Value tile) const;
  /// The lane axis in which a use wants its tile; `kAnyAxis` if that does not matter.
  int64_t getWantedAxis(mlir::OpOperand &use) const;

private:
  using Choice = llvm::SmallVector<unsigned>; ///< The alternative of every decision.
  using Axis = std::pair<unsigned, int64_t>;  ///< A tile's number, and an axis of it.
  /// Who makes or uses a tile, and as its which tile.
  struct Role {
    unsigned decision, index;
  };
  struct Tile {
    mlir::Value value;
    Role maker;
    llvm::SmallVector<Role, 4> users;
    double transposeCycles = 0; ///< Times how often that would be done.
  };

  void collect(mlir::func::FuncOp phase, int64_t lanes);
  void findAxes();
  const LayoutAlternative &get(const Choice &choice, unsigned decision) const {
    return decisions[decision].alternatives[choice[decision]];
  }
  int64_t getMade(const Choice &choice, const Tile &tile) const;
  int64_t getWanted(const Choice &choice, Role user) const;
  /// Transposes between decisions that are included.
  using IsIncluded = llvm::function_ref<bool(unsigned decision)>;
  double getTransposes(const Choice &choice, const Tile &tile, IsIncluded isIncluded) const;
  /// The part of the sum that depends on one decision.
  double getCycles(const Choice &choice, unsigned decision, IsIncluded isIncluded) const;
  double getCycles(const Choice &choice) const;
  /// All tiles that have an axis of the class have it along the lanes, if possible.
  Choice prefer(const Axis *leader) const;
  /// The best alternative of a decision if the others stay as they are.
  unsigned getBest(Choice &choice, unsigned decision, IsIncluded isIncluded) const;
  /// One decision at a time, as long as the sum gets less.
  void descend(Choice &choice) const;
  /// The decisions that share a tile with this one, itself among them.
  void forEachNeighbour(unsigned decision, llvm::function_ref<void(unsigned)> visit) const;
  /// Makes one decision, then lets those follow whose tiles it has changed.
  void decide(Choice &choice, unsigned decision, unsigned alternative) const;
  /// One decision with its followers at a time, as long as the sum gets less.
  void descendTogether(Choice &choice) const;
  unsigned getNumber(mlir::Value tile) const { return numbers.find(tile)->second; }

  llvm::SmallVector<LayoutDecision, 0> decisions;
  llvm::SmallVector<double> weights; ///< How often every decision's op runs.
  llvm::SmallVector<llvm::SmallVector<unsigned, 4>> tilesOf; ///< Per decision, if not free.
  std::vector<Tile> tiles;
  llvm::DenseMap<mlir::Value, unsigned> numbers;
  llvm::DenseMap<mlir::OpOperand *, Role> roles;
  /// Axes that some op walks with one loop.
  llvm::EquivalenceClasses<Axis> axes;
  Choice best;
};

} // namespace mix::cpu

#endif // MIXWRIGHT_CODEGEN_CPU_LAYOUTS_H
