//===- Tile.cpp - mix-tile: from normal forms to tile programs -------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "passes/Passes.h"
#include "passes/TilePhase.h"
#include "llvm/ADT/StringSwitch.h"

namespace mix {
#define GEN_PASS_DEF_TILEMIXERS
#include "passes/Passes.h.inc"
} // namespace mix

using namespace mlir;
using namespace mix;
using llvm::StringRef;

/// Rows of a cache that a block of keys holds: pages are multiples of it.
static constexpr int64_t kCacheBlock = 16;
/// Rows of a cache that a task of a step walks: enough to be worth a task, few enough for
/// one head to fill several threads.
static constexpr int64_t kSplitRows = 1024;

static StringRef getString(DictionaryAttr attrs, StringRef name) {
  auto attr = attrs ? attrs.getAs<StringAttr>(name) : StringAttr();
  return attr ? attr.getValue() : StringRef();
}

/// The token spaces of a mixer: the axes of unknown size of its arguments and results in
/// order, then the block axes.
static SmallVector<StringRef> getSpaces(const TileSignature &signature, func::FuncOp mixer) {
  SmallVector<StringRef> spaces;
  auto add = [&](StringRef space) {
    if (!llvm::is_contained(spaces, space))
      spaces.push_back(space);
  };
  auto blocks = mixer->getAttrOfType<DictionaryAttr>(kBlocksAttr);
  for (const TileSignature::Argument &argument : signature.arguments)
    for (auto [axis, size] : llvm::zip(getAxes(argument.type), argument.type.getShape()))
      if (ShapedType::isDynamic(size) && !(blocks && blocks.contains(axis)))
        add(axis);
  if (blocks)
    for (NamedAttribute block : blocks)
      add(block.getName().getValue());
  return spaces;
}

/// Inputs as declared, initial states, outputs, final states; of a step form the position
/// and the caches follow the inputs, and a state is one argument in place.
static TileSignature makeSignature(func::FuncOp mixer) {
  TileSignature signature;
  auto add = [&](StringRef name, StringRef kind, Type type) -> unsigned {
    signature.arguments.push_back({name, kind, cast<RankedTensorType>(type)});
    return signature.arguments.size() - 1;
  };
  for (unsigned n = 0; n < mixer.getNumArguments(); ++n) {
    DictionaryAttr attrs = mixer.getArgAttrDict(n);
    StringRef kind = getString(attrs, kKindAttr);
    add(getString(attrs, kNameAttr), kind.empty() ? "input" : kind, mixer.getArgumentTypes()[n]);
  }
  ArrayRef<Type> results = mixer.getResultTypes();
  signature.resultArgument.resize(results.size());
  bool isStep = mixer->hasAttr(kStepAttr);
  auto getKind = [&](unsigned n) { return getString(mixer.getResultAttrDict(n), kKindAttr); };
  auto isState = [&](unsigned n) { return getKind(n) == "state"; };
  auto nameOf = [&](unsigned n) { return getString(mixer.getResultAttrDict(n), kNameAttr); };
  for (unsigned n = 0; n < results.size(); ++n) {
    if (!isState(n))
      continue;
    signature.stateNames.push_back(nameOf(n));
    unsigned argument = add(nameOf(n), isStep ? "state" : "state_in", results[n]);
    signature.stateArgument.push_back(argument);
    signature.resultArgument[n] = argument;
  }
  for (unsigned n = 0; n < results.size(); ++n)
    if (!isState(n) && getKind(n) != "cache")
      signature.resultArgument[n] = add(nameOf(n), "output", results[n]);
  for (unsigned n = 0; n < results.size(); ++n)
    if (isState(n) && !isStep)
      signature.resultArgument[n] = add(nameOf(n), "state_out", results[n]);
  return signature;
}

/// What the types of the results rule out.
static std::optional<TileFailure> checkTypes(func::FuncOp mixer) {
  for (Type type : mixer.getFunctionType().getResults())
    if (getElementTypeOrSelf(type).isInteger(1))
      return TileFailure{mixer.getLoc(), "a result of truth values has no tile program"};
  return std::nullopt;
}

/// What the phases of a step form say besides: how sequences and caches grow.
static void annotateStep(func::FuncOp function, StringAttr space, const TilePhase &phase,
                         const TileSignature &signature, int64_t cacheBlock) {
  Builder b(function.getContext());
  function->setAttr(kStepAttr, space);
  bool hasCache = llvm::any_of(signature.arguments, [](const TileSignature::Argument &argument) {
    return argument.kind == "cache";
  });
  if (!hasCache)
    return;
  function->setAttr("mix.history",
                    b.getDictionaryAttr(b.getNamedAttr(getHistorySpace(space.getValue()), space)));
  function->setAttr("tile.cache_block", b.getI64IntegerAttr(cacheBlock));
  if (phase.onlyAppends()) {
    auto cache = cast<BlockArgument>(AppendOp(phase.appends.front()).getCache());
    function->setAttr("tile.heads_of",
                      b.getStringAttr(signature.arguments[cache.getArgNumber()].name));
  }
}

namespace {
struct TilePass : mix::impl::TileMixersBase<TilePass> {
  using TileMixersBase::TileMixersBase;

  void runOnOperation() override {
    TileParameters parameters;
    parameters.isChunked = form == "chunked" || form == "prefill";
    parameters.isStep = form == "step" || form == "prefill";
    if (!parameters.isChunked && !parameters.isStep && form != "recurrent")
      return reject("form", form, "'chunked', 'recurrent', 'step' or 'prefill'");
    parameters.tensorElement = getRealType(element);
    if (!parameters.tensorElement)
      return reject("element", element, "'f32', 'f64', 'bf16' or 'f16'");
    parameters.element = element == "f64" ? parameters.tensorElement : getRealType("f32");
    bool isStateKnown = state.empty() || (element != "f64" && (state == "bf16" || state == "f16"));
    if (!isStateKnown)
      return reject("state", state, "'', or with tiles of f32 'bf16' or 'f16'");
    parameters.stateElement = state.empty() ? parameters.element : getRealType(state);
    parameters.chunk = chunk;
    parameters.rows = rows;
    parameters.keys = keys;
    parameters.featureBlock = featureBlock;
    parameters.stateElements = stateElements;
    for (auto [name, size] :
         {std::pair("chunk", parameters.chunk), {"state-elements", parameters.stateElements}})
      if (size < 0)
        return reject(name, std::to_string(size), "a positive number, or 0");
    for (auto [name, size] : {std::pair("rows", parameters.rows),
                              {"keys", parameters.keys},
                              {"feature-block", parameters.featureBlock}})
      if (size <= 0)
        return reject(name, std::to_string(size), "a positive number");
    // A step has few tokens, and reads keys in blocks that lie in one page of a cache.
    if (parameters.isByToken()) {
      parameters.chunk = parameters.rows = 1;
      parameters.keys = kCacheBlock;
      parameters.splitRows = kSplitRows;
    }
    for (auto mixer : llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>()))
      if (mixer->hasAttr(kMixerAttr))
        tileMixer(mixer, parameters);
  }

private:
  void reject(StringRef option, StringRef found, StringRef expected) {
    getOperation().emitError("option '")
        << option << "' of mix-tile expects " << expected << ", got '" << found << "'";
    signalPassFailure();
  }

  /// Null if there is none of that name.
  Type getRealType(StringRef name) {
    Builder b(&getContext());
    return llvm::StringSwitch<Type>(name)
        .Case("f32", b.getF32Type())
        .Case("f64", b.getF64Type())
        .Case("bf16", b.getBF16Type())
        .Case("f16", b.getF16Type())
        .Default(Type());
  }

  void tileMixer(func::FuncOp mixer, const TileParameters &parameters);
  void annotate(func::FuncOp function, func::FuncOp mixer, const TilePlan &plan, unsigned number,
                const TileSignature &signature, const TileParameters &parameters,
                const PhaseEmitter &emitter, ArrayRef<StringRef> spaces);
};
} // namespace

void TilePass::annotate(func::FuncOp function, func::FuncOp mixer, const TilePlan &plan,
                        unsigned number, const TileSignature &signature,
                        const TileParameters &parameters, const PhaseEmitter &emitter,
                        ArrayRef<StringRef> spaces) {
  Builder b(&getContext());
  auto describe = [&](unsigned n, StringRef name, StringRef kind, ArrayRef<StringRef> axes) {
    function.setArgAttr(n, kNameAttr, b.getStringAttr(name));
    function.setArgAttr(n, kKindAttr, b.getStringAttr(kind));
    function.setArgAttr(n, "mix.axes", b.getStrArrayAttr(axes));
  };
  unsigned next = 0;
  for (const TileSignature::Argument &argument : signature.arguments) {
    for (StringRef name : {kWindowAttr, kSourcesAttr})
      if (argument.kind == "cache")
        if (Attribute attr = mixer.getArgAttr(next, name))
          function.setArgAttr(next, name, attr);
    describe(next++, argument.name, argument.kind, getAxes(argument.type));
  }
  for (auto [n, value] : llvm::enumerate(plan.workspaces)) {
    describe(next++, "w" + std::to_string(n), "workspace", getAxes(plan.getStoredType(value)));
  }
  for (StringRef state : signature.stateNames)
    if (!parameters.isStep)
      function.setArgAttr(next++, "tile.given", b.getStringAttr(state));

  const TilePhase &phase = plan.phases[number];
  function.setName((mixer.getName() + "_" + llvm::Twine(number)).str());
  function->setAttr("tile.phase", b.getI64IntegerAttr(number));
  function->setAttr("tile.mixer", b.getStringAttr(mixer.getName()));
  function->setAttr("tile.form", b.getStringAttr(form));
  function->setAttr("tile.features", b.getI64IntegerAttr(emitter.getNumFeatureBlocks()));
  if (!phase.isSequential && !phase.space.empty()) {
    function->setAttr("tile.space", b.getStringAttr(phase.space));
    bool isSplit = phase.space == plan.getHistory();
    function->setAttr("tile.rows",
                      b.getI64IntegerAttr(isSplit ? kSplitRows : emitter.getNumRows()));
  }
  function->setAttr("mix.spaces", b.getStrArrayAttr(spaces));
  if (auto space = mixer->getAttrOfType<StringAttr>(kStepAttr))
    annotateStep(function, space, plan.phases[number], signature, parameters.keys);
  if (Attribute blocks = mixer->getAttr(kBlocksAttr))
    function->setAttr(kBlocksAttr, blocks);
}

void TilePass::tileMixer(func::FuncOp mixer, const TileParameters &parameters) {
  auto giveUp = [&](const TileFailure &failure) {
    mixer->setAttr("tile.not_tiled", StringAttr::get(&getContext(), failure.reason));
    emitRemark(failure.loc) << "'" << mixer.getName()
                            << "' has no tile program: " << failure.reason;
    ++numNotTiled;
  };
  if (parameters.isStep != mixer->hasAttr(kStepAttr))
    return giveUp(
        {mixer.getLoc(), parameters.isStep
                             ? "the form '" + form + "' needs its step form (mix-derive-step)"
                             : "a step form has the forms 'step' and 'prefill' only"});
  TileSignature signature = makeSignature(mixer);
  std::optional<TileFailure> failure = checkTypes(mixer);
  TilePlan plan;
  if (failure || !plan.build(mixer, parameters.splitRows, failure))
    return giveUp(*failure);
  SmallVector<StringRef> spaces = getSpaces(signature, mixer);

  // Later phases say which workspaces earlier ones have to store.
  std::vector<std::unique_ptr<PhaseEmitter>> emitters(plan.phases.size());
  SmallVector<OwningOpRef<func::FuncOp>> functions(plan.phases.size());
  for (size_t n = plan.phases.size(); n-- > 0;) {
    emitters[n] = std::make_unique<PhaseEmitter>(plan, n, signature, mixer, parameters);
    functions[n] = emitters[n]->emit();
    if (emitters[n]->failure)
      return giveUp(*emitters[n]->failure);
  }
  OpBuilder builder(mixer);
  for (auto [n, function] : llvm::enumerate(functions)) {
    emitters[n]->addWorkspaces();
    annotate(*function, mixer, plan, n, signature, parameters, *emitters[n], spaces);
    builder.insert(function.release());
    ++numPhases;
  }
  mixer.erase();
  ++numTiled;
}
