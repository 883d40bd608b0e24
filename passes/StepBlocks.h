//===- StepBlocks.h - Values of blocks as values of tokens ------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A step has new tokens, but no new blocks of tokens: the last block grows. So a value of
// the blocks of `c` tokens becomes one of tokens, at which it is that of the last block
// that is complete,
//
//   last[t] = value[(t + 1 - c) div c]        value[b] = last[c b + c - 1]
//
// The second equation holds for blocks that are complete, and to read `last` at a token that
// has not come is refused like every such read. What `last` needs of earlier tokens, of the
// `2 c - 1` up to its own if the value is of the block's own tokens, and whether it needs
// later ones, is derived as of any other value.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_PASSES_STEPBLOCKS_H
#define MIXWRIGHT_PASSES_STEPBLOCKS_H

#include "dialect/Mix.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringMap.h"

namespace mix {

/// The spaces of blocks of tokens: how many tokens a block has.
using BlockSizes = llvm::StringMap<int64_t>;

/// The blocks of the tokens of `space`, and blocks of those.
BlockSizes getBlockSizes(mlir::func::FuncOp mixer, llvm::StringRef space);

/// Makes all reads of values of blocks, in a mixer of level L2, reads of values of tokens. Fails
/// with an error at the place of what has no value at the end of its block.
mlir::LogicalResult spreadBlocks(mlir::func::FuncOp mixer, llvm::StringRef space,
                                 const BlockSizes &blocks);

/// `c b + c - 1`: the last position of the block `block` of `size` tokens.
mlir::Value createBlockEnd(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value block,
                           int64_t size);

} // namespace mix

#endif // MIXWRIGHT_PASSES_STEPBLOCKS_H
