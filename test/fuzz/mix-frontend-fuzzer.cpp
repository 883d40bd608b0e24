//===- mix-frontend-fuzzer.cpp - Any bytes into the frontend --------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lexer, parser, elaboration and the verifier on arbitrary input. Beyond what the
// sanitizers see, a text must either be accepted or be refused with a message.
//
//===----------------------------------------------------------------------===//

#include "frontends/mix/Frontend.h"
#include "mlir/IR/MLIRContext.h"
#include <cstdlib>

/// A context never forgets a type or a location, so it is renewed now and then.
static mlir::MLIRContext &getContext() {
  static std::unique_ptr<mlir::MLIRContext> context;
  static unsigned uses = 0;
  if (uses++ % 2048 == 0)
    context = std::make_unique<mlir::MLIRContext>(mlir::MLIRContext::Threading::DISABLED);
  return *context;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  llvm::StringRef text(reinterpret_cast<const char *>(data), size);
  std::string messages;
  llvm::raw_string_ostream os(messages);
  mix::frontend::Diagnostics diagnostics(os);
  mix::frontend::BuildOptions options;
  auto module = mix::frontend::buildModule(getContext(), "fuzz.mix", text, options, diagnostics);
  bool hasMessage = diagnostics.getNumErrors() != 0 && !messages.empty();
  if (static_cast<bool>(module) == hasMessage) {
    llvm::errs() << "neither accepted nor refused with a message:\n" << text << '\n' << messages;
    abort();
  }
  return 0;
}
