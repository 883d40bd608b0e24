//===- Spec.cpp - A mixer of a .mix file ------------------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/driver/Spec.h"
#include "codegen/cpu/Target.h"
#include "codegen/gpu/Target.h"
#include "dialect/Mix.h"
#include "dialect/Tile.h"
#include "frontends/mix/Frontend.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace mix;
using namespace mix::driver;
using llvm::Expected;
using llvm::StringRef;

char ReportedError::ID = 0;

mlir::func::FuncOp Program::getMixer() { return *module->getOps<mlir::func::FuncOp>().begin(); }

// A process compiles one mixer at a time: threads of MLIR's own would only cost.
Spec::Spec() : context(mlir::MLIRContext::Threading::DISABLED) {
  mlir::DialectRegistry registry;
  cpu::registerTargetDialects(registry);
  gpu::registerTargetDialects(registry);
  context.appendDialectRegistry(registry);
  context
      .loadDialect<MixDialect, tile::TileDialect, mlir::arith::ArithDialect,
                   mlir::func::FuncDialect, mlir::math::MathDialect, mlir::tensor::TensorDialect>();
}

Expected<std::unique_ptr<Spec>> Spec::load(StringRef path, StringRef mixer,
                                           llvm::StringMap<std::string> settings) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/true);
  if (!buffer)
    return llvm::createStringError("cannot read '" + path + "': " + buffer.getError().message());
  std::unique_ptr<Spec> spec(new Spec());
  spec->path = path.str();
  spec->text = (*buffer)->getBuffer().str();
  spec->mixer = mixer.str();
  spec->settings = std::move(settings);
  Expected<Program> program = spec->build({});
  if (!program)
    return program.takeError();
  spec->signature = driver::getSignature(program->getMixer());
  return spec;
}

Expected<Program> Spec::build(const SizeMap &sizes) {
  frontend::BuildOptions options;
  options.mixer = mixer;
  options.settings = settings;
  for (auto &entry : sizes)
    if (!signature.isTokenAxis(entry.getKey()))
      options.sizes[entry.getKey()] = entry.second;
  frontend::Diagnostics diagnostics(llvm::errs());
  Program program{frontend::buildModule(context, path, text, options, diagnostics)};
  if (!program.module)
    return llvm::make_error<ReportedError>();
  return program;
}
