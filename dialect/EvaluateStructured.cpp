//===- EvaluateStructured.cpp - linalg ops on doubles -----------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The body of a structured op is run once per index, so it is first turned into a
// list of instructions over numbered registers.
//
//===----------------------------------------------------------------------===//

#include "dialect/EvaluateElementwise.h"
#include "dialect/EvaluateTileOps.h"
#include "llvm/ADT/DenseMap.h"

using namespace mlir;
using namespace mix;
using llvm::Error;
using llvm::Expected;

namespace {

/// One scalar op of a body: a function of registers, or the index of a loop.
struct Instruction {
  Elementwise fn;
  std::array<unsigned, 3> operands;
  std::optional<unsigned> loop;
  RoundFn round; ///< Null if the result is kept as it is.
};

/// A body: block arguments are the first registers, then captured scalars and
/// constants (preset), then results of instructions.
struct Program {
  std::vector<Instruction> instructions;
  std::vector<unsigned> targets; // the register that each instruction writes
  std::vector<double> registers;
  SmallVector<unsigned> yields;
};

using Lookup = llvm::function_ref<const Tensor &(Value)>;

class Compiler {
public:
  Compiler(Lookup lookup, TileRounding rounding) : lookup(lookup), rounding(rounding) {}

  Expected<Program> compile(Block &body) {
    for (BlockArgument argument : body.getArguments())
      registerOf[argument] = addRegister(0.0);
    for (Operation &op : body.without_terminator())
      if (Error error = add(&op))
        return error;
    for (Value value : body.getTerminator()->getOperands())
      program.yields.push_back(getRegister(value));
    return std::move(program);
  }

private:
  unsigned addRegister(double value) {
    program.registers.push_back(value);
    return program.registers.size() - 1;
  }

  /// The register of a value of the body, or of a scalar from outside.
  unsigned getRegister(Value value) {
    auto [it, inserted] = registerOf.try_emplace(value, 0);
    if (inserted)
      it->second = addRegister(lookup(value).value());
    return it->second;
  }

  Error add(Operation *op) {
    if (isa<arith::ConstantOp>(op)) {
      Expected<Tensor> constant = getConstant(op);
      if (!constant)
        return constant.takeError();
      registerOf[op->getResult(0)] = addRegister(constant->value());
      return Error::success();
    }
    Instruction instruction = {};
    if (auto index = dyn_cast<linalg::IndexOp>(op)) {
      instruction.loop = index.getDim();
    } else {
      std::optional<Elementwise> fn = getElementwise(op);
      if (!fn)
        return errorAt(op, "the evaluator does not know this op");
      instruction.fn = *fn;
      for (auto [n, operand] : llvm::enumerate(op->getOperands()))
        instruction.operands[n] = getRegister(operand);
      instruction.round = getRounding(op->getResult(0).getType(), rounding);
    }
    program.instructions.push_back(instruction);
    program.targets.push_back(registerOf[op->getResult(0)] = addRegister(0.0));
    return Error::success();
  }

  Lookup lookup;
  TileRounding rounding;
  Program program;
  llvm::DenseMap<Value, unsigned> registerOf;
};

/// Runs the instructions at one index. Yields false on an integer division by zero.
bool run(Program &program, ArrayRef<int64_t> index) {
  double *r = program.registers.data();
  for (auto [instruction, target] : llvm::zip(program.instructions, program.targets)) {
    const Elementwise &fn = instruction.fn;
    auto [x, y, z] = instruction.operands;
    if (fn.refusesZeroDivisor && r[y] == 0.0)
      return false;
    r[target] = instruction.loop ? index[*instruction.loop]
                : fn.unary       ? fn.unary(r[x])
                : fn.binary      ? fn.binary(r[x], r[y])
                                 : fn.ternary(r[x], r[y], r[z]);
    if (instruction.round)
      r[target] = instruction.round(r[target]);
  }
  return true;
}

/// Where an operand's element lies: a start and a stride per loop.
struct Access {
  int64_t start = 0;
  Shape strides;
};

} // namespace

static Expected<Access> getAccess(Operation *op, AffineMap map, const Tensor &operand) {
  Access access;
  access.strides.assign(map.getNumDims(), 0);
  // A scalar operand has a map without results.
  for (auto [expr, stride] : llvm::zip(map.getResults(), operand.strides)) {
    if (auto dim = dyn_cast<AffineDimExpr>(expr))
      access.strides[dim.getPosition()] += stride;
    else if (auto constant = dyn_cast<AffineConstantExpr>(expr))
      access.start += constant.getValue() * stride;
    else
      return errorAt(op, "expects indexing maps of loop dimensions and constants");
  }
  return access;
}

Expected<SmallVector<Tensor>> mix::evaluateStructured(linalg::LinalgOp op, Lookup lookup,
                                                      TileRounding rounding) {
  Expected<Program> program = Compiler(lookup, rounding).compile(*op.getBlock());
  if (!program)
    return program.takeError();

  // The results start as copies of the initial values and are updated in place.
  SmallVector<Tensor> operands, results;
  for (OpOperand &operand : op->getOpOperands()) {
    const Tensor &tensor = lookup(operand.get());
    bool isInit = op.isDpsInit(&operand);
    operands.push_back(isInit ? Tensor::make(tensor.shape, tensor.elements()) : tensor);
    if (isInit)
      results.push_back(operands.back());
  }
  SmallVector<Access> accesses;
  for (auto [map, operand] : llvm::zip(op.getIndexingMapsArray(), operands)) {
    Expected<Access> access = getAccess(op, map, operand);
    if (!access)
      return access.takeError();
    accesses.push_back(*access);
  }

  SmallVector<int64_t> ranges = op.getStaticLoopRanges(), index(ranges.size(), 0);
  if (llvm::any_of(ranges, ShapedType::isDynamic))
    return errorAt(op, "expects tiles of static shape");
  unsigned numInputs = operands.size() - results.size();
  auto offsetOf = [&](unsigned n) {
    int64_t offset = accesses[n].start;
    for (auto [i, stride] : llvm::zip(index, accesses[n].strides))
      offset += i * stride;
    return offset;
  };
  for (int64_t remaining = countElements(ranges); remaining > 0; --remaining) {
    for (unsigned n = 0; n < operands.size(); ++n)
      program->registers[n] = operands[n].data()[offsetOf(n)];
    if (!run(*program, index))
      return errorAt(op, "divides an integer by zero");
    for (auto [n, yielded] : llvm::enumerate(program->yields))
      results[n].data()[offsetOf(numInputs + n)] = program->registers[yielded];
    for (unsigned dim = ranges.size(); dim-- > 0;) {
      if (++index[dim] < ranges[dim])
        break;
      index[dim] = 0;
    }
  }
  return results;
}
