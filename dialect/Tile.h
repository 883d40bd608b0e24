//===- Tile.h - The tile dialect --------------------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_DIALECT_TILE_H
#define MIXWRIGHT_DIALECT_TILE_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialect/TileDialect.h.inc"
#include "dialect/TileEnums.h.inc"

namespace mix::tile {
/// What `tile.band` writes to: nothing, but a promise stays where it is.
struct Promises : mlir::SideEffects::Resource::Base<Promises> {
  llvm::StringRef getName() final { return "Promises"; }
};
} // namespace mix::tile

#define GET_OP_CLASSES
#include "dialect/TileOps.h.inc"

#endif // MIXWRIGHT_DIALECT_TILE_H
