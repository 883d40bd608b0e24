//===- Describe.cpp - The constant that describes a kernel ------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "codegen/Describe.h"
#include "dialect/Tile.h"
#include "mixwright/abi.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace mix;

/// Of the code that drivers load: binaries are read in place.
static constexpr int64_t kImageAlignment = 64;

namespace {

/// Writes LLVM globals whose initialisers are structs of numbers and addresses.
class Describer {
public:
  Describer(OpBuilder &b, ArrayRef<DescribedPhase> phases, const KernelTarget &target)
      : b(b), phases(phases), first(phases.front().phase), target(target), loc(first.getLoc()),
        pointer(LLVM::LLVMPointerType::get(b.getContext())), i32(b.getI32Type()),
        i64(b.getI64Type()) {}

  LogicalResult run();

private:
  using Fields = SmallVector<std::function<Value()>>;
  /// A struct value under construction: one closure per field, so that ops are
  /// made inside the initialiser.
  Value makeStruct(Type type, const Fields &fields);
  std::function<Value()> number(Type type, int64_t value);
  std::function<Value()> addressOf(StringRef symbol);
  std::function<Value()> string(StringRef text);
  std::function<Value()> null();
  /// A private array of bytes, and a zero behind them.
  void makeBytes(StringRef name, StringRef bytes, int64_t alignment = 0);
  LLVM::GlobalOp makeGlobal(StringRef name, Type type, LLVM::Linkage linkage,
                            llvm::function_ref<Value()> init);
  /// An array of structs; null if there are none.
  std::function<Value()> array(StringRef name, Type element, ArrayRef<Fields> rows);

  LogicalResult describeSpaces(SmallVectorImpl<Fields> &rows);
  LogicalResult describeArguments(SmallVectorImpl<Fields> &rows);
  LogicalResult describePhases(SmallVectorImpl<Fields> &rows);
  std::function<Value()> describeImage();
  int32_t findSpace(StringRef name);
  /// The place among the tensors of the argument of one of these kinds, or -1.
  int32_t findArgument(StringRef name, ArrayRef<StringRef> kinds);
  /// The fields of a cache: window, sources.
  LogicalResult describeCache(unsigned index, Fields &fields);
  /// The other caches that phases store together with one; and whether a phase that runs for
  /// every head does.
  SmallVector<unsigned> getStoredWith(unsigned index, bool &isStoredByAll);
  LogicalResult getCacheBlock(int64_t &rows);

  OpBuilder &b;
  ArrayRef<DescribedPhase> phases;
  func::FuncOp first;
  const KernelTarget &target;
  Location loc;
  Type pointer, i32, i64;
  std::string prefix;
  SmallVector<StringRef> spaces;
  llvm::StringMap<std::string> strings;
};

} // namespace

std::function<Value()> Describer::number(Type type, int64_t value) {
  return [=, this_ = this] {
    return LLVM::ConstantOp::create(this_->b, this_->loc, type,
                                    this_->b.getIntegerAttr(type, value));
  };
}

std::function<Value()> Describer::addressOf(StringRef symbol) {
  return [this, name = symbol.str()] { return LLVM::AddressOfOp::create(b, loc, pointer, name); };
}

std::function<Value()> Describer::string(StringRef text) {
  std::string &name = strings[text];
  if (name.empty()) {
    name = prefix + "_string" + std::to_string(strings.size());
    makeBytes(name, text);
  }
  return addressOf(name);
}

std::function<Value()> Describer::null() {
  return [this] { return LLVM::ZeroOp::create(b, loc, pointer); };
}

void Describer::makeBytes(StringRef name, StringRef bytes, int64_t alignment) {
  std::string terminated = bytes.str();
  terminated.push_back('\0');
  auto type = LLVM::LLVMArrayType::get(b.getI8Type(), terminated.size());
  LLVM::GlobalOp::create(b, loc, type, /*isConstant=*/true, LLVM::Linkage::Private, name,
                         b.getStringAttr(terminated), alignment);
}

Value Describer::makeStruct(Type type, const Fields &fields) {
  Value value = LLVM::UndefOp::create(b, loc, type);
  for (auto [index, field] : llvm::enumerate(fields))
    value = LLVM::InsertValueOp::create(b, loc, value, field(), (int64_t)index);
  return value;
}

LLVM::GlobalOp Describer::makeGlobal(StringRef name, Type type, LLVM::Linkage linkage,
                                     llvm::function_ref<Value()> init) {
  auto global =
      LLVM::GlobalOp::create(b, loc, type, /*isConstant=*/true, linkage, name, Attribute());
  OpBuilder::InsertionGuard guard(b);
  b.createBlock(&global.getInitializerRegion());
  LLVM::ReturnOp::create(b, loc, init());
  return global;
}

std::function<Value()> Describer::array(StringRef name, Type element, ArrayRef<Fields> rows) {
  if (rows.empty())
    return null();
  std::string symbol = prefix + "_" + name.str();
  auto type = LLVM::LLVMArrayType::get(element, rows.size());
  makeGlobal(symbol, type, LLVM::Linkage::Private, [&] {
    Value value = LLVM::UndefOp::create(b, loc, type);
    for (auto [index, row] : llvm::enumerate(rows))
      value = LLVM::InsertValueOp::create(b, loc, value, makeStruct(element, row), (int64_t)index);
    return value;
  });
  return addressOf(symbol);
}

int32_t Describer::findSpace(StringRef name) {
  auto it = llvm::find(spaces, name);
  return it == spaces.end() ? -1 : it - spaces.begin();
}

int32_t Describer::findArgument(StringRef name, ArrayRef<StringRef> kinds) {
  int32_t place = 0;
  for (auto [index, type] : llvm::enumerate(first.getArgumentTypes())) {
    if (!isa<MemRefType>(type))
      continue;
    auto own = first.getArgAttrOfType<StringAttr>(index, "mix.name");
    auto kind = first.getArgAttrOfType<StringAttr>(index, "mix.kind");
    if (own && own.getValue() == name && kind && llvm::is_contained(kinds, kind.getValue()))
      return place;
    ++place;
  }
  return -1;
}

/// `mix.spaces = ["T", "B", "T.all"]`, `mix.blocks = {B = ["T", 64]}`,
/// `mix.history = {T.all = "T"}`.
LogicalResult Describer::describeSpaces(SmallVectorImpl<Fields> &rows) {
  if (auto names = first->getAttrOfType<ArrayAttr>("mix.spaces"))
    for (Attribute name : names)
      if (auto text = dyn_cast<StringAttr>(name))
        spaces.push_back(text.getValue());
  auto blocks = first->getAttrOfType<DictionaryAttr>("mix.blocks");
  auto histories = first->getAttrOfType<DictionaryAttr>("mix.history");
  for (StringRef space : spaces) {
    int64_t base = -1, block = 0;
    if (auto of = histories ? dyn_cast_or_null<StringAttr>(histories.get(space)) : StringAttr()) {
      base = findSpace(of.getValue());
      if (base < 0)
        return first.emitError("expects 'mix.history' to give space '")
               << space << "' a known space, got '" << of.getValue() << "'";
    }
    if (auto row = blocks ? dyn_cast_or_null<ArrayAttr>(blocks.get(space)) : ArrayAttr()) {
      auto name = row.size() == 2 ? dyn_cast<StringAttr>(row[0]) : StringAttr();
      auto size = row.size() == 2 ? dyn_cast<IntegerAttr>(row[1]) : IntegerAttr();
      if (!name || !size || findSpace(name.getValue()) < 0)
        return first.emitError("expects 'mix.blocks' to give space '")
               << space << "' a known space and a block size";
      base = findSpace(name.getValue());
      block = size.getInt();
    }
    rows.push_back({string(space), number(i32, base), number(i64, block)});
  }
  return success();
}

SmallVector<unsigned> Describer::getStoredWith(unsigned index, bool &isStoredByAll) {
  SetVector<unsigned> together;
  isStoredByAll = false;
  for (const DescribedPhase &described : phases) {
    func::FuncOp phase = described.phase;
    SetVector<unsigned> stored;
    phase.walk([&](tile::StoreOp store) {
      auto view = dyn_cast<BlockArgument>(store.getView());
      if (view && first.getArgAttr(view.getArgNumber(), "mix.kind") == b.getStringAttr("cache"))
        stored.insert(view.getArgNumber());
    });
    if (!stored.contains(index))
      continue;
    together.insert_range(stored);
    isStoredByAll |= !phase->hasAttr("tile.heads_of");
  }
  together.remove(index);
  return together.takeVector();
}

LogicalResult Describer::describeCache(unsigned index, Fields &fields) {
  auto window = first.getArgAttrOfType<IntegerAttr>(index, "mix.window");
  SetVector<int32_t> places;
  auto add = [&](StringRef name) -> LogicalResult {
    int32_t place = findArgument(name, {"input", "param", "cache"});
    places.insert(place);
    if (place < 0)
      return first.emitError("expects 'mix.sources' of argument ")
             << index << " to name inputs, params or caches, got '" << name << "'";
    return success();
  };
  auto addSources = [&](unsigned cache) -> LogicalResult {
    auto names = first.getArgAttrOfType<ArrayAttr>(cache, "mix.sources");
    for (unsigned n = 0, e = names ? names.size() : 0; n < e; ++n)
      if (auto name = dyn_cast<StringAttr>(names[n]); name && failed(add(name.getValue())))
        return failure();
    return success();
  };
  bool isStoredByAll;
  SmallVector<unsigned> together = getStoredWith(index, isStoredByAll);
  if (!isStoredByAll && first.getArgAttr(index, "mix.sources")) {
    if (failed(addSources(index)))
      return failure();
    // One task writes a row of each, so they have the same heads: either is a source of the other.
    for (unsigned other : together)
      if (failed(addSources(other)) ||
          failed(add(first.getArgAttrOfType<StringAttr>(other, "mix.name").getValue())))
        return failure();
  }
  SmallVector<Fields> sources;
  for (int32_t place : places)
    sources.push_back({number(i32, place)});
  Type source = LLVM::LLVMStructType::getLiteral(b.getContext(), {i32});
  fields.push_back(number(i64, window ? window.getInt() : 0));
  fields.push_back(number(i32, sources.size()));
  fields.push_back(array("sources" + std::to_string(index), source, sources));
  return success();
}

LogicalResult Describer::describeArguments(SmallVectorImpl<Fields> &rows) {
  auto dimType = LLVM::LLVMStructType::getLiteral(b.getContext(), {pointer, i64, i32});
  auto dimsType = LLVM::LLVMArrayType::get(dimType, MIXWRIGHT_MAX_RANK);
  for (auto [index, type] : llvm::enumerate(first.getArgumentTypes())) {
    auto view = dyn_cast<MemRefType>(type);
    if (!view)
      continue;
    auto name = first.getArgAttrOfType<StringAttr>(index, "mix.name");
    auto kindName = first.getArgAttrOfType<StringAttr>(index, "mix.kind");
    auto axes = first.getArgAttrOfType<ArrayAttr>(index, "mix.axes");
    int kind = llvm::StringSwitch<int>(kindName ? kindName.getValue() : "")
                   .Case("input", MIXWRIGHT_INPUT)
                   .Case("param", MIXWRIGHT_PARAM)
                   .Case("state_in", MIXWRIGHT_STATE_IN)
                   .Case("output", MIXWRIGHT_OUTPUT)
                   .Case("state_out", MIXWRIGHT_STATE_OUT)
                   .Case("workspace", MIXWRIGHT_WORKSPACE)
                   .Case("state", MIXWRIGHT_STATE)
                   .Case("cache", MIXWRIGHT_CACHE)
                   .Case("position", MIXWRIGHT_POSITION)
                   .Default(-1);
    if (!name || kind < 0 || !axes || (int64_t)axes.size() != view.getRank() ||
        view.getRank() > MIXWRIGHT_MAX_RANK)
      return first.emitError("expects argument ")
             << index << " to have 'mix.name', a known 'mix.kind', and 'mix.axes' with one name "
             << "for each of at most " << MIXWRIGHT_MAX_RANK << " dimensions";
    Type element = view.getElementType();
    int dtype = element.isF32()         ? MIXWRIGHT_F32
                : element.isF64()       ? MIXWRIGHT_F64
                : element.isBF16()      ? MIXWRIGHT_BF16
                : element.isF16()       ? MIXWRIGHT_F16
                : element.isInteger(32) ? MIXWRIGHT_I32
                                        : MIXWRIGHT_I64;
    SmallVector<Fields> dims;
    for (auto [axis, size] : llvm::zip_equal(axes.getAsRange<StringAttr>(), view.getShape())) {
      int32_t space = ShapedType::isDynamic(size) ? findSpace(axis.getValue()) : -1;
      if (ShapedType::isDynamic(size) && space < 0)
        return first.emitError("expects axis '")
               << axis.getValue() << "' of argument '" << name.getValue()
               << "' to have a size or to be one of 'mix.spaces'";
      dims.push_back({string(axis.getValue()), number(i64, ShapedType::isDynamic(size) ? -1 : size),
                      number(i32, space)});
    }
    auto makeDims = [=, this_ = this] {
      Value value = LLVM::ZeroOp::create(this_->b, this_->loc, dimsType);
      for (auto [dim, fields] : llvm::enumerate(dims))
        value = LLVM::InsertValueOp::create(this_->b, this_->loc, value,
                                            this_->makeStruct(dimType, fields), (int64_t)dim);
      return value;
    };
    Fields &row =
        rows.emplace_back(Fields{string(name.getValue()), number(i32, kind), number(i32, dtype),
                                 number(i32, view.getRank()), makeDims});
    if (failed(describeCache(index, row)))
      return failure();
  }
  return success();
}

LogicalResult Describer::describePhases(SmallVectorImpl<Fields> &rows) {
  for (const DescribedPhase &described : phases) {
    func::FuncOp phase = described.phase;
    auto number64 = [&](StringRef name, int64_t otherwise) {
      auto attr = phase->getAttrOfType<IntegerAttr>(name);
      return attr ? attr.getInt() : otherwise;
    };
    int32_t space = -1;
    if (auto name = phase->getAttrOfType<StringAttr>("tile.space")) {
      space = findSpace(name.getValue());
      if (space < 0 || number64("tile.rows", 0) < 1)
        return phase.emitError("expects 'tile.space' to be one of 'mix.spaces', with 'tile.rows'");
    }
    int32_t headsOf = -1;
    if (auto name = phase->getAttrOfType<StringAttr>("tile.heads_of")) {
      headsOf = findArgument(name.getValue(), {"cache"});
      if (headsOf < 0)
        return phase.emitError("expects 'tile.heads_of' to name a cache, got '")
               << name.getValue() << "'";
    }
    rows.push_back(
        {target.image ? null() : addressOf(described.function),
         number(i64, number64("tile.features", 1)), number(i32, space),
         number(i64, number64("tile.rows", 0)), number(i32, phase->hasAttr("tile.last_first")),
         number(i64, described.scratchBytes), number(i32, headsOf), number(i32, described.threads),
         target.image ? string(described.function) : null()});
  }
  return success();
}

LogicalResult Describer::getCacheBlock(int64_t &rows) {
  rows = 0;
  for (const DescribedPhase &described : phases) {
    func::FuncOp phase = described.phase;
    auto own = phase->getAttrOfType<IntegerAttr>("tile.cache_block");
    int64_t ownRows = own ? own.getInt() : 1;
    if (ownRows < 1 || (rows > 0 && ownRows != rows))
      return phase.emitError("expects all phases of a mixer to have the same positive "
                             "'tile.cache_block', got ")
             << ownRows;
    rows = ownRows;
  }
  return success();
}

std::function<Value()> Describer::describeImage() {
  if (!target.image)
    return null();
  std::string bytes = prefix + "_bytes";
  makeBytes(bytes, target.image->bytes, kImageAlignment);
  std::string assembled = prefix + "_assembled";
  bool isAssembled = !target.image->assembled.empty();
  if (isAssembled)
    makeBytes(assembled, target.image->assembled, kImageAlignment);
  return array(
      "image",
      LLVM::LLVMStructType::getLiteral(b.getContext(), {i32, i32, i32, i64, pointer, pointer}),
      Fields{number(i32, target.image->deviceType), number(i32, target.image->architecture),
             number(i32, target.image->isPortable), number(i64, target.image->bytes.size()),
             addressOf(bytes), isAssembled ? addressOf(assembled) : null()});
}

LogicalResult Describer::run() {
  auto mixer = first->getAttrOfType<StringAttr>("tile.mixer");
  auto form = first->getAttrOfType<StringAttr>("tile.form");
  if (!mixer || !form)
    return first.emitError("expects a phase to have 'tile.mixer' and 'tile.form'");
  std::string name = MIXWRIGHT_KERNEL_PREFIX + mixer.str() + "_" + form.str();
  prefix = "." + name;
  for (const DescribedPhase &described : phases) {
    func::FuncOp phase = described.phase;
    if (phase.getArgumentTypes() != first.getArgumentTypes())
      return phase.emitError("expects all phases of a mixer to have the same arguments");
  }

  auto structOf = [&](ArrayRef<Type> fields) {
    return LLVM::LLVMStructType::getLiteral(b.getContext(), fields);
  };
  Type dims = LLVM::LLVMArrayType::get(structOf({pointer, i64, i32}), MIXWRIGHT_MAX_RANK);
  SmallVector<Fields> spaceRows, argumentRows, phaseRows;
  int64_t cacheBlock;
  if (failed(describeSpaces(spaceRows)) || failed(describeArguments(argumentRows)) ||
      failed(describePhases(phaseRows)) || failed(getCacheBlock(cacheBlock)))
    return failure();
  auto spaceArray = array("spaces", structOf({pointer, i32, i64}), spaceRows);
  auto argumentArray =
      array("args", structOf({pointer, i32, i32, i32, dims, i64, i32, pointer}), argumentRows);
  auto phaseArray =
      array("phases", structOf({pointer, i64, i32, i64, i32, i64, i32, i32, pointer}), phaseRows);
  Fields kernel = {number(i32, MIXWRIGHT_ABI_VERSION),
                   string(mixer.getValue()),
                   string(form.getValue()),
                   string(target.name),
                   number(i64, target.needs),
                   number(i32, spaceRows.size()),
                   spaceArray,
                   number(i32, argumentRows.size()),
                   argumentArray,
                   number(i32, phaseRows.size()),
                   phaseArray,
                   number(i64, cacheBlock),
                   describeImage(),
                   null()};
  Type type = structOf({i32, pointer, pointer, pointer, i64, i32, pointer, i32, pointer, i32,
                        pointer, i64, pointer, pointer});
  makeGlobal(name, type, LLVM::Linkage::External, [&] { return makeStruct(type, kernel); });
  return success();
}

LogicalResult mix::emitDescription(OpBuilder &b, ArrayRef<DescribedPhase> phases,
                                   const KernelTarget &target) {
  return Describer(b, phases, target).run();
}
