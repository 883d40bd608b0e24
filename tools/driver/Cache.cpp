//===- Cache.cpp - Compiled kernels on disk ---------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A file: magic, the hash of its body (8 bytes), the body. The body: the number of
// notes, then notes, object and key, each with its length in front. Numbers are
// 64-bit little-endian. The key is repeated so that two keys with the same hash are
// told apart.
//
//===----------------------------------------------------------------------===//

#include "tools/driver/Cache.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Support/xxhash.h"
#include <link.h>

using namespace mix::driver;
using llvm::StringRef;

static constexpr StringRef magic = "mixwright kernel 1\n";

//===----------------------------------------------------------------------===//
// Which program this is
//===----------------------------------------------------------------------===//

/// Appends the build id (a hash of its contents, made by the linker) of the loaded
/// file that holds this function.
static int appendBuildId(dl_phdr_info *info, size_t, void *data) {
  auto here = reinterpret_cast<uintptr_t>(&appendBuildId);
  StringRef notes;
  bool isOurs = false;
  for (int n = 0; n < info->dlpi_phnum; ++n) {
    const auto &header = info->dlpi_phdr[n];
    uintptr_t begin = info->dlpi_addr + header.p_vaddr;
    isOurs |= header.p_type == PT_LOAD && begin <= here && here < begin + header.p_memsz;
    if (header.p_type == PT_NOTE)
      notes = StringRef(reinterpret_cast<const char *>(begin), header.p_memsz);
  }
  if (!isOurs)
    return 0;
  *static_cast<std::string *>(data) += llvm::toHex(notes);
  return 1;
}

static std::string identifyProgram() {
  std::string identity = "LLVM " LLVM_VERSION_STRING " ";
  dl_iterate_phdr(appendBuildId, &identity);
  return identity;
}

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

std::string Cache::findDirectory() {
  if (auto directory = llvm::sys::Process::GetEnv("MIXWRIGHT_CACHE_DIR"))
    return *directory;
  llvm::SmallString<128> path;
  auto base = llvm::sys::Process::GetEnv("XDG_CACHE_HOME");
  if (base && !base->empty())
    path = *base;
  else if (llvm::sys::path::home_directory(path))
    llvm::sys::path::append(path, ".cache");
  else
    return "";
  llvm::sys::path::append(path, "mixwright");
  return path.str().str();
}

static std::string completeKey(StringRef key) {
  static const std::string program = identifyProgram();
  return program + "\n" + key.str();
}

std::string Cache::getPath(StringRef key) const {
  std::string complete = completeKey(key);
  llvm::XXH128_hash_t hash = llvm::xxh3_128bits(
      llvm::ArrayRef(reinterpret_cast<const uint8_t *>(complete.data()), complete.size()));
  llvm::SmallString<128> path(directory);
  llvm::sys::path::append(path, llvm::utohexstr(hash.high64, /*LowerCase=*/true, /*Width=*/16) +
                                    llvm::utohexstr(hash.low64, /*LowerCase=*/true, /*Width=*/16) +
                                    ".kernel");
  return path.str().str();
}

static void appendNumber(std::string &bytes, uint64_t number) {
  char encoded[8];
  llvm::support::endian::write64le(encoded, number);
  bytes.append(encoded, sizeof encoded);
}

static void appendText(std::string &bytes, StringRef text) {
  appendNumber(bytes, text.size());
  bytes += text;
}

static bool takeNumber(StringRef &bytes, uint64_t &number) {
  if (bytes.size() < 8)
    return false;
  number = llvm::support::endian::read64le(bytes.data());
  bytes = bytes.drop_front(8);
  return true;
}

static bool takeText(StringRef &bytes, StringRef &text) {
  uint64_t size;
  if (!takeNumber(bytes, size) || bytes.size() < size)
    return false;
  text = bytes.take_front(size);
  bytes = bytes.drop_front(size);
  return true;
}

std::optional<CacheEntry> Cache::load(StringRef key) const {
  if (directory.empty())
    return std::nullopt;
  auto buffer = llvm::MemoryBuffer::getFile(getPath(key), /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!buffer)
    return std::nullopt;
  StringRef bytes = (*buffer)->getBuffer();
  uint64_t hash, numNotes;
  if (!bytes.consume_front(magic) || !takeNumber(bytes, hash) || hash != llvm::xxh3_64bits(bytes) ||
      !takeNumber(bytes, numNotes))
    return std::nullopt;
  CacheEntry entry;
  StringRef text;
  for (uint64_t n = 0; n < numNotes; ++n) {
    if (!takeText(bytes, text))
      return std::nullopt;
    entry.notes.push_back(text.str());
  }
  if (!takeText(bytes, text))
    return std::nullopt;
  entry.object.assign(text.begin(), text.end());
  if (!takeText(bytes, text) || text != completeKey(key))
    return std::nullopt;
  return entry;
}

void Cache::store(StringRef key, const CacheEntry &entry) const {
  if (directory.empty() || llvm::sys::fs::create_directories(directory))
    return;
  std::string body;
  appendNumber(body, entry.notes.size());
  for (const std::string &note : entry.notes)
    appendText(body, note);
  appendText(body, StringRef(entry.object.data(), entry.object.size()));
  appendText(body, completeKey(key));
  std::string head = magic.str();
  appendNumber(head, llvm::xxh3_64bits(body));

  llvm::SmallString<128> temporary;
  int descriptor;
  if (llvm::sys::fs::createUniqueFile(directory + "/%%%%%%%%.tmp", descriptor, temporary))
    return;
  llvm::raw_fd_ostream file(descriptor, /*shouldClose=*/true);
  file << head << body;
  file.close();
  bool failed = file.has_error();
  file.clear_error();
  if (failed || llvm::sys::fs::rename(temporary, getPath(key)))
    (void)llvm::sys::fs::remove(temporary);
}
