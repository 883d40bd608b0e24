//===- MixOps.cpp - Verifiers of levels L1 and L2 ---------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A comment `op_cN` marks the code that checks constraint N of the op's
// description in MixOps.td.
//
//===----------------------------------------------------------------------===//

#include "dialect/Mix.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/OpImplementation.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace mix;

//===----------------------------------------------------------------------===//
// Shared pieces
//===----------------------------------------------------------------------===//

/// Parses `["T" = %i, "K" = %d]`.
static ParseResult parseNamedIndices(OpAsmParser &parser, ArrayAttr &axes,
                                     SmallVectorImpl<OpAsmParser::UnresolvedOperand> &indices) {
  SmallVector<Attribute> names;
  auto parseOne = [&]() -> ParseResult {
    StringAttr name;
    if (parser.parseAttribute(name) || parser.parseEqual() ||
        parser.parseOperand(indices.emplace_back()))
      return failure();
    names.push_back(name);
    return success();
  };
  if (parser.parseCommaSeparatedList(OpAsmParser::Delimiter::Square, parseOne))
    return failure();
  axes = parser.getBuilder().getArrayAttr(names);
  return success();
}

static void printNamedIndices(OpAsmPrinter &printer, Operation *, ArrayAttr axes,
                              OperandRange indices) {
  printer << '[';
  llvm::interleaveComma(llvm::zip(axes, indices), printer, [&](auto pair) {
    printer << std::get<0>(pair) << " = " << std::get<1>(pair);
  });
  printer << ']';
}

#define GET_OP_CLASSES
#include "dialect/MixOps.cpp.inc"

LogicalResult mix::verifyAxisSizes(Operation *op) {
  llvm::StringMap<int64_t> sizes;
  auto check = [&](Type type) -> LogicalResult {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor)
      return success();
    for (auto [axis, size] : llvm::zip(getAxes(type), tensor.getShape())) {
      if (ShapedType::isDynamic(size))
        continue;
      auto [it, inserted] = sizes.try_emplace(getSpace(axis), size);
      if (!inserted && it->second != size)
        return op->emitOpError("has two sizes of axis '")
               << axis << "', " << it->second << " and " << size;
    }
    return success();
  };
  for (Type type : op->getOperandTypes())
    if (failed(check(type)))
      return failure();
  for (Type type : op->getResultTypes())
    if (failed(check(type)))
      return failure();
  return success();
}

static SmallVector<StringRef> getStrings(ArrayAttr array) {
  return llvm::map_to_vector(array.getAsValueRange<StringAttr>(), [](StringRef s) { return s; });
}

static std::string quoteAxes(ArrayRef<StringRef> axes) {
  std::string text = "[";
  llvm::raw_string_ostream os(text);
  llvm::interleaveComma(axes, os);
  os << ']';
  return text;
}

/// Whether two lists name the same axes, in any order.
static bool isPermutation(ArrayRef<StringRef> a, ArrayRef<StringRef> b) {
  return a.size() == b.size() &&
         llvm::all_of(a, [&](StringRef x) { return llvm::is_contained(b, x); });
}

/// Whether a list of axes names each once; reports the first that it names twice.
static LogicalResult verifyDistinct(Operation *op, ArrayRef<StringRef> axes) {
  llvm::StringSet<> seen;
  for (StringRef axis : axes)
    if (!seen.insert(axis).second)
      return op->emitOpError("names axis '") << axis << "' twice";
  return success();
}

/// The reduced axes of each source: an array of arrays of strings.
static FailureOr<SmallVector<SmallVector<StringRef>>> getAxesLists(Operation *op, ArrayAttr lists) {
  SmallVector<SmallVector<StringRef>> result;
  for (Attribute list : lists) {
    auto array = dyn_cast<ArrayAttr>(list);
    if (!array || !llvm::all_of(array, llvm::IsaPred<StringAttr>))
      return op->emitOpError("expects 'axes' to be a list of lists of axis names");
    result.push_back(getStrings(array));
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Axes and positions
//===----------------------------------------------------------------------===//

LogicalResult IotaOp::verify() {
  // iota_c1
  SmallVector<StringRef> axes = getAxes(getResult());
  if (axes.size() != 1 || !isIndexAxis(axes.front()))
    return emitOpError("expects one axis of the form \"j:T\", got ") << quoteAxes(axes);
  return success();
}

LogicalResult ReadOp::verify() {
  SmallVector<StringRef> axes = getStrings(getAxes());
  // read_c1
  if (axes.size() != getIndices().size())
    return emitOpError("expects one index per named axis, got ")
           << axes.size() << " axes and " << getIndices().size() << " indices";
  llvm::StringSet<> seen;
  for (StringRef axis : axes) {
    if (!hasAxis(getSource().getType(), axis))
      return emitOpError("indexes axis '") << axis << "' that the source does not have";
    if (!seen.insert(axis).second)
      return emitOpError("indexes axis '") << axis << "' twice";
  }
  // read_c2
  SmallVector<Type> parts = {dropAxes(getSource().getType(), axes)};
  llvm::append_range(parts, getIndices().getTypes());
  RankedTensorType expected = joinAxes(parts);
  auto result = cast<RankedTensorType>(getResult().getType());
  if (!isPermutation(mix::getAxes(expected), mix::getAxes(result)) ||
      result.getElementType() != expected.getElementType())
    return emitOpError("expects a result with the axes ")
           << quoteAxes(mix::getAxes(expected)) << ", got " << result;
  return success();
}

LogicalResult BindOp::verify() {
  // bind_c1
  if (!isIndexAxis(getAxis()) || !hasAxis(getSource().getType(), getAxis()))
    return emitOpError("expects an index axis of the source, got '") << getAxis() << "'";
  if (hasAxis(getSource().getType(), mix::getSpace(getAxis())))
    return emitOpError("expects a source without the axis '") << mix::getSpace(getAxis()) << "'";
  // bind_c2
  RankedTensorType expected =
      renameAxis(getSource().getType(), getAxis(), mix::getSpace(getAxis()));
  if (getResult().getType() != expected)
    return emitOpError("expects a result of type ") << expected;
  return success();
}

LogicalResult BroadcastOp::verify() {
  // broadcast_c1
  for (StringRef axis : getAxes(getSource()))
    if (!hasAxis(getResult().getType(), axis))
      return emitOpError("drops axis '") << axis << "'";
  // broadcast_c2
  if (getElementTypeOrSelf(getSource()) != getElementTypeOrSelf(getResult()))
    return emitOpError("changes the element type");
  return success();
}

OpFoldResult BroadcastOp::fold(FoldAdaptor) {
  return getSource().getType() == getResult().getType() ? OpFoldResult(getSource())
                                                        : OpFoldResult();
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

LogicalResult ReduceOp::verify() {
  SmallVector<StringRef> axes = getStrings(getAxes());
  // reduce_c1
  for (StringRef axis : axes)
    if (!hasAxis(getSource().getType(), axis))
      return emitOpError("reduces axis '") << axis << "' that the source does not have";
  if (failed(verifyDistinct(*this, axes)))
    return failure();
  // reduce_c2
  if (getMask() && !isAxisSubset(getMask().getType(), getSource().getType()))
    return emitOpError("expects the axes of the mask among those of the source");
  // reduce_c3
  RankedTensorType expected = dropAxes(getSource().getType(), axes);
  if (getResult().getType() != expected)
    return emitOpError("expects a result of type ") << expected;
  // reduce_c4
  if (getKind() == ReduceKind::Sum && getElementTypeOrSelf(getSource()).isInteger(1))
    return emitOpError("expects numbers: booleans have no sum");
  return success();
}

/// Shared by the ops with one axes list, logits and mask per source: checks the
/// lists and that the axes that remain agree. Yields those axes.
static LogicalResult verifySources(Operation *op, ArrayAttr lists, OperandRange logits,
                                   OperandRange masks, SmallVectorImpl<StringRef> &common) {
  FailureOr<SmallVector<SmallVector<StringRef>>> axes = getAxesLists(op, lists);
  if (failed(axes))
    return failure();
  if (axes->size() != logits.size() || masks.size() != logits.size() || logits.empty())
    return op->emitOpError("expects one axes list and one mask per source, got ")
           << axes->size() << " lists, " << masks.size() << " masks, " << logits.size()
           << " sources";
  for (auto [n, list, logit] : llvm::enumerate(*axes, logits)) {
    for (StringRef axis : list)
      if (!hasAxis(logit.getType(), axis))
        return op->emitOpError("reduces axis '")
               << axis << "' that source " << n << " does not have";
    if (failed(verifyDistinct(op, list)))
      return failure();
    SmallVector<StringRef> rest = getAxes(dropAxes(logit.getType(), list));
    if (n == 0)
      common = rest;
    else if (!isPermutation(common, rest))
      return op->emitOpError("expects the same remaining axes for all sources, got ")
             << quoteAxes(common) << " and " << quoteAxes(rest);
  }
  return success();
}

LogicalResult SoftmaxOp::verify() {
  // softmax_c1, softmax_c2
  SmallVector<StringRef> common;
  if (failed(verifySources(*this, getAxes(), getLogits(), getMasks(), common)))
    return failure();
  if (getResults().size() != getLogits().size())
    return emitOpError("expects one result per source");
  // softmax_c3
  for (auto [logit, mask, result] : llvm::zip(getLogits(), getMasks(), getResults()))
    if (mask.getType() != withElement(logit.getType(), IntegerType::get(getContext(), 1)) ||
        result.getType() != logit.getType())
      return emitOpError("expects mask and result with the axes of the logits");
  return success();
}

LogicalResult PrefixOp::verify() {
  // prefix_c1; prefix_c2 is a trait of the op.
  if (!hasAxis(getSource().getType(), getAxis()))
    return emitOpError("runs along axis '") << getAxis() << "' that the source does not have";
  // prefix_c3
  Type element = getElementTypeOrSelf(getSource());
  if (getKind() == PrefixKind::Sum && element.isInteger(1))
    return emitOpError("expects numbers: booleans have no sum");
  if (getKind() == PrefixKind::LogSumExp && !element.isF64())
    return emitOpError("expects reals: only they have a logsumexp, got ") << element;
  return success();
}

LogicalResult TopKOp::verify() {
  // topk_c1
  if (!hasAxis(getScore().getType(), getAxis()))
    return emitOpError("runs along axis '") << getAxis() << "' that the score does not have";
  if (getN() <= 0)
    return emitOpError("expects a positive count, got ") << getN();
  // topk_c2
  if (!isPermutation(getAxes(getMask()), getAxes(getScore())) ||
      getResult().getType() != withElement(getScore().getType(), IntegerType::get(getContext(), 1)))
    return emitOpError("expects mask and result with the axes of the score");
  return success();
}

LogicalResult LargestOp::verify() {
  // largest_c1
  if (!hasAxis(getScore().getType(), getAxis()))
    return emitOpError("runs along axis '") << getAxis() << "' that the score does not have";
  if (getN() <= 0)
    return emitOpError("expects a positive count, got ") << getN();
  // largest_c2
  if (!isPermutation(getAxes(getMask()), getAxes(getScore())))
    return emitOpError("expects a mask with the axes of the score");
  // largest_c3
  if (isIndexAxis(getInto()) || hasAxis(getScore().getType(), getInto()))
    return emitOpError("expects a feature axis for the result that the score does not have, got '")
           << getInto() << "'";
  SmallVector<StringRef> axes(getAxes(getScore()));
  llvm::erase(axes, getAxis());
  axes.push_back(getInto());
  auto type = cast<RankedTensorType>(getResult().getType());
  if (getAxes(type) != ArrayRef(axes) || type.getShape().back() != (int64_t)getN())
    return emitOpError("expects a result over the axes of the score without '")
           << getAxis() << "', then '" << getInto() << "' of size " << getN();
  return success();
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

void ForOp::getAsmBlockArgumentNames(Region &, OpAsmSetValueNameFn setName) {
  // Also called to print an op that did not verify.
  if (getBody().getNumArguments() < 1 + getNumStates())
    return;
  setName(getPosition(), "t");
  for (unsigned n = 0; n < getNumStates() && n < getStates().size(); ++n)
    setName(getState(n), cast<StringAttr>(getStates()[n]).getValue());
}

LogicalResult ForOp::verify() {
  unsigned numStates = getNumStates();
  // for_c4
  SmallVector<StringRef> names = getStrings(getStates());
  llvm::StringSet<> seen;
  for (StringRef name : names)
    if (!seen.insert(name).second)
      return emitOpError("names state '") << name << "' twice";
  if (names.size() != numStates)
    return emitOpError("expects one name per state, got ")
           << names.size() << " names for " << numStates << " states";
  // for_c5
  if (getBlock() && (int64_t)*getBlock() <= 0)
    return emitOpError("expects a positive block, got ") << (int64_t)*getBlock();
  // for_c1
  Type position = RankedTensorType::get({}, IntegerType::get(getContext(), 64));
  SmallVector<Type> arguments = {position};
  llvm::append_range(arguments, getInits().getTypes());
  if (getBlock())
    llvm::append_range(arguments, getInits().getTypes());
  if (!llvm::equal(getBody().getArgumentTypes(), arguments))
    return emitOpError("expects the block arguments: position, states")
           << (getBlock() ? ", frozen states" : "");
  // for_c2
  auto yield = dyn_cast<YieldOp>(getBody().front().getTerminator());
  if (!yield || yield.getValues().size() != getNumResults() || getNumResults() < numStates ||
      !llvm::equal(yield.getValues().take_front(numStates).getTypes(), getInits().getTypes()))
    return emitOpError("expects its body to yield the next states, then one value per output");
  // for_c3
  for (auto [init, result] : llvm::zip(getInits(), getFinalStates()))
    if (init.getType() != result.getType())
      return emitOpError("expects the final state to have the type of the initial one");
  for (auto [value, output] : llvm::zip(yield.getValues().drop_front(numStates), getOutputs())) {
    SmallVector<StringRef> expected = {getSpace()};
    llvm::append_range(expected, getAxes(value));
    if (getAxes(output) != expected || getElementTypeOrSelf(output) != getElementTypeOrSelf(value))
      return emitOpError("expects an output with the axes ") << quoteAxes(expected);
  }
  return success();
}

void ForBlocksOp::getAsmBlockArgumentNames(Region &, OpAsmSetValueNameFn setName) {
  for (auto [name, argument] : llvm::zip(getStates(), getBody().getArguments()))
    setName(argument, cast<StringAttr>(name).getValue());
}

/// What is wrong with an op of the body of a loop over blocks of `space`; empty if nothing is.
static std::string checkInBlocks(ForBlocksOp loop, Operation *op) {
  auto checkLoop = [&](StringRef space, ValueRange inits) -> std::string {
    if (space != loop.getSpace())
      return "expects recurrences of its body over '" + loop.getSpace().str() + "', got '" +
             space.str() + "'";
    for (Value init : inits)
      if (init.getParentRegion() != &loop.getBody() || init.getDefiningOp())
        return "expects recurrences of its body to start from its states";
    return {};
  };
  if (auto inner = dyn_cast<ForOp>(op))
    return checkLoop(inner.getSpace(), inner.getInits());
  if (auto scan = dyn_cast<AffineScanOp>(op))
    return checkLoop(getSpace(scan.getAxis()), scan.getInits());
  auto reduce = dyn_cast<ReduceOp>(op);
  bool isWalk = reduce && llvm::any_of(getStrings(reduce.getAxes()), isIndexAxis);
  if (isWalk || isa<PrefixOp, ForBlocksOp>(op))
    return "expects no '" + op->getName().getStringRef().str() + "' over tokens in its body";
  return {};
}

LogicalResult ForBlocksOp::verify() {
  // for_blocks_c3
  llvm::StringSet<> seen;
  for (StringRef name : getStrings(getStates()))
    if (!seen.insert(name).second)
      return emitOpError("names state '") << name << "' twice";
  if (seen.size() != getNumStates())
    return emitOpError("expects one name per state, got ")
           << seen.size() << " names for " << getNumStates() << " states";
  if ((int64_t)getBlock() <= 0)
    return emitOpError("expects a positive block, got ") << (int64_t)getBlock();
  // for_blocks_c1
  if (!llvm::equal(getBody().getArgumentTypes(), getInits().getTypes()))
    return emitOpError("expects the states as block arguments");
  // for_blocks_c2
  auto yield = dyn_cast<YieldOp>(getBody().front().getTerminator());
  if (!yield || yield.getValues().getTypes() != getResultTypes() ||
      getNumResults() < getNumStates() ||
      !llvm::equal(getFinalStates().getTypes(), getInits().getTypes()))
    return emitOpError("expects its body to yield the states after the block, then the outputs");
  for (Value output : getOutputs())
    if (getAxes(output).empty() || getAxes(output).front() != getSpace())
      return emitOpError("expects outputs with the axis '") << getSpace() << "' in front";
  // for_blocks_c4
  for (Operation &op : getBody().front())
    if (std::string problem = checkInBlocks(*this, &op); !problem.empty())
      return emitOpError(problem);
  return success();
}

//===----------------------------------------------------------------------===//
// Normal forms
//===----------------------------------------------------------------------===//

LogicalResult AffineScanOp::verify() {
  SmallVector<StringRef> contracted = getStrings(getContracted());
  // affine_scan_c1
  if (getInits().empty() || getResults().size() < getInits().size())
    return emitOpError("expects at least one state, and a final state for each");
  Type state = getInits().front().getType();
  for (Type other : getInits().getTypes())
    if (other != state)
      return emitOpError("expects states of one type, got ") << state << " and " << other;
  for (StringRef axis : contracted)
    if (!hasAxis(state, axis))
      return emitOpError("contracts axis '") << axis << "' that the state does not have";
  if (contracted.empty())
    return emitOpError("expects at least one contracted axis");
  if (failed(verifyDistinct(*this, contracted)))
    return failure();
  if (!isIndexAxis(getAxis()) || hasAxis(state, getAxis()))
    return emitOpError("expects to run along an index axis that the state does not have, got '")
           << getAxis() << "'";
  SmallVector<StringRef> free = getAxes(dropAxes(state, contracted));

  auto checkOperand = [&](Value value, StringRef role,
                          ArrayRef<StringRef> allowed) -> LogicalResult {
    if (!hasAxis(value.getType(), getAxis()))
      return emitOpError("expects ") << role << " to have the axis '" << getAxis() << "'";
    for (StringRef axis : getAxes(value))
      if (axis != getAxis() && !llvm::is_contained(allowed, axis))
        return emitOpError("expects ") << role << " over a subset of " << quoteAxes(allowed)
                                       << ", got axis '" << axis << "'";
    return success();
  };
  // affine_scan_c2
  if (getDecay() && failed(checkOperand(getDecay(), "the decay", getAxes(state))))
    return failure();
  // affine_scan_c3
  for (auto [values, role, allowed] :
       {std::make_tuple(getLefts(), "a left", ArrayRef<StringRef>(contracted)),
        std::make_tuple(getReads(), "a read", ArrayRef<StringRef>(contracted)),
        std::make_tuple(getQueries(), "a query", ArrayRef<StringRef>(contracted)),
        std::make_tuple(getValues(), "a value", ArrayRef<StringRef>(free)),
        std::make_tuple(getCoefs(), "a coefficient", ArrayRef<StringRef>(free))})
    for (Value value : values)
      if (failed(checkOperand(value, role, allowed)))
        return failure();
  // affine_scan_c4
  if (getLefts().size() != getValues().size())
    return emitOpError("expects one value per left, got ")
           << getLefts().size() << " lefts and " << getValues().size() << " values";
  if (getCoefRows().size() != getCoefs().size() || getCoefCols().size() != getCoefs().size())
    return emitOpError("expects a row and a column per coefficient");
  for (auto [row, col] : llvm::zip(getCoefRows(), getCoefCols()))
    if (row < 0 || row >= (int64_t)getLefts().size() || col < 0 ||
        col >= (int64_t)getReads().size())
      return emitOpError("has a coefficient out of range at row ") << row << ", column " << col;
  // affine_scan_c5
  if (getAfter().size() != getQueries().size() || getOutputs().size() != getQueries().size())
    return emitOpError("expects one 'after' flag and one output per query");
  if (!llvm::equal(getFinals().getTypes(), getInits().getTypes()))
    return emitOpError("expects the final state to have the type of the initial one");
  for (Value output : getOutputs()) {
    SmallVector<StringRef> expected = {getAxis()};
    llvm::append_range(expected, free);
    if (getAxes(output) != expected)
      return emitOpError("expects an output with the axes ") << quoteAxes(expected);
  }
  // affine_scan_c6
  int64_t numStates = getNumStates(), numMixed = numStates + getLefts().size();
  if ((numStates > 1) != !getMixes().empty() || (numStates > 1 && getDecay()))
    return emitOpError("expects a decay of one state, or mixes of several, got ")
           << numStates << " states and " << getMixes().size() << " mixes";
  if (getMixRows().size() != getMixes().size() || getMixCols().size() != getMixes().size())
    return emitOpError("expects a row and a column per mix");
  llvm::SmallBitVector hasOwn(numStates);
  for (auto [mix, row, col] : llvm::zip(getMixes(), getMixRows(), getMixCols())) {
    if (row < 0 || row >= numStates || col < 0 || col >= numMixed)
      return emitOpError("has a mix out of range at row ") << row << ", column " << col;
    if (row == col)
      hasOwn.set(row);
    SmallVector<StringRef> allowed;
    if (col < numStates)
      allowed = getAxes(state);
    if (failed(checkOperand(mix, "a mix", allowed)))
      return failure();
  }
  if (numStates > 1 && !hasOwn.all())
    return emitOpError("expects a mix of every state with itself, missing for state ")
           << hasOwn.find_first_unset();
  // affine_scan_c7
  auto checkStates = [&](ArrayRef<int64_t> states, size_t count, StringRef role) -> LogicalResult {
    if (!states.empty() && states.size() != count)
      return emitOpError("expects a state per ") << role;
    for (int64_t state : states)
      if (state < 0 || state >= numStates)
        return emitOpError("has a ") << role << " of state " << state << " of " << numStates;
    return success();
  };
  if (failed(checkStates(getReadOf(), getReads().size(), "read")) ||
      failed(checkStates(getQueryOf(), getQueries().size(), "query")))
    return failure();
  return success();
}

LogicalResult StreamedReductionOp::verify() {
  // streamed_reduction_c1
  SmallVector<StringRef> common;
  if (failed(verifySources(*this, getAxes(), getLogits(), getMasks(), common)))
    return failure();
  SmallVector<SmallVector<StringRef>> lists = *getAxesLists(*this, getAxes());
  // streamed_reduction_c2
  for (auto [logit, mask] : llvm::zip(getLogits(), getMasks()))
    if (!isAxisSubset(mask.getType(), logit.getType()))
      return emitOpError("expects the axes of a mask among those of its logits");
  if (getSourceOf().size() != getValues().size() || getSums().size() != getValues().size())
    return emitOpError("expects a source and a sum per value");
  // streamed_reduction_c4
  if (!isPermutation(mix::getAxes(getMax()), common))
    return emitOpError("expects the maximum over the axes ") << quoteAxes(common);
  for (auto [value, source, sum] : llvm::zip(getValues(), getSourceOf(), getSums())) {
    // streamed_reduction_c3
    if (source < 0 || source >= (int64_t)lists.size())
      return emitOpError("has a value of source ") << source << " of " << lists.size();
    SmallVector<StringRef> expected = common;
    for (StringRef axis : mix::getAxes(value)) {
      if (llvm::is_contained(lists[source], axis) || llvm::is_contained(common, axis))
        continue;
      if (isIndexAxis(axis))
        return emitOpError("has a value with the axis '") << axis << "' that its source lacks";
      expected.push_back(axis);
    }
    if (!isPermutation(mix::getAxes(sum), expected))
      return emitOpError("expects a sum over the axes ") << quoteAxes(expected);
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Step forms
//===----------------------------------------------------------------------===//

LogicalResult AppendOp::verify() {
  // append_c1
  if (isIndexAxis(getAxis()) || !hasAxis(getRows().getType(), getAxis()))
    return emitOpError("expects a plain axis of the rows, got '") << getAxis() << "'";
  RankedTensorType expected =
      renameAxis(getRows().getType(), getAxis(), getHistorySpace(getAxis()));
  // The cache has more rows: only the other sizes are the same.
  SmallVector<int64_t> sizes(expected.getShape());
  auto cache = cast<RankedTensorType>(getCache().getType());
  if (cache.getRank() == expected.getRank())
    sizes[findAxis(getRows().getType(), getAxis())] =
        cache.getDimSize(findAxis(getRows().getType(), getAxis()));
  expected = getTensorType(expected.getElementType(), mix::getAxes(expected), sizes);
  if (cache != expected)
    return emitOpError("expects a cache of type ") << expected;
  return success();
}
