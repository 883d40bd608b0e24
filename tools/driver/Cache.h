//===- Cache.h - Compiled kernels on disk -----------------------*- C++ -*-===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One file per kernel, named by the hash of all that went into it. A file is written
// beside its place and renamed, so readers never see half of one and writers do not
// disturb each other. A file that is cut short, damaged, or of another program is
// as good as none.
//
// The directory is $MIXWRIGHT_CACHE_DIR, else $XDG_CACHE_HOME/mixwright, else
// ~/.cache/mixwright. MIXWRIGHT_CACHE_DIR set to nothing turns the cache off.
//
//===----------------------------------------------------------------------===//

#ifndef MIXWRIGHT_TOOLS_DRIVER_CACHE_H
#define MIXWRIGHT_TOOLS_DRIVER_CACHE_H

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include <optional>
#include <string>
#include <vector>

namespace mix::driver {

/// What is kept of a compilation.
struct CacheEntry {
  std::vector<std::string> notes;
  llvm::SmallVector<char, 0> object;
};

class Cache {
public:
  /// The directory of the environment; empty if there is none.
  static std::string findDirectory();

  explicit Cache(std::string directory) : directory(std::move(directory)) {}

  /// `key` is any text; two kernels that differ must have different keys. What
  /// compiled them (this program and LLVM) is part of every key.
  std::optional<CacheEntry> load(llvm::StringRef key) const;

  /// Failures (a full disk, a directory of someone else) are no errors: the next
  /// process compiles again.
  void store(llvm::StringRef key, const CacheEntry &entry) const;

  /// Where the entry of a key is kept.
  std::string getPath(llvm::StringRef key) const;

private:
  std::string directory;
};

} // namespace mix::driver

#endif // MIXWRIGHT_TOOLS_DRIVER_CACHE_H
