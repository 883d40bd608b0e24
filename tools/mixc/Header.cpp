//===- Header.cpp - The C header of a compiled mixer ------------------------===//
//
// Part of Mixwright, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/mixc/Header.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace mix;
using namespace mix::driver;
using llvm::StringRef;

namespace {

class HeaderWriter {
public:
  HeaderWriter(const Signature &signature, const SizeMap &sizes, Form form, TensorTypes types,
               StringRef targets, bool hasDevices, llvm::ArrayRef<StepArgument> step,
               llvm::raw_ostream &os)
      : signature(signature), sizes(sizes), form(form), types(types), targets(targets),
        hasDevices(hasDevices), step(step), os(os),
        symbol((MIXWRIGHT_KERNEL_PREFIX + signature.mixer + "_" + getFormName(form)).str()),
        prefix(StringRef(signature.mixer).upper()) {}

  void write() {
    std::string guard = StringRef(symbol).upper() + "_H";
    os << "/* " << signature.mixer << ", " << getFormName(form) << " form, "
       << getTypeName(types.type) << ", for " << targets
       << ". Written by mixc compile.\n *\n"
          " * Call it with "
       << (hasDevices ? "mixwright_run, on a GPU with mixwright_launch (mixwright/device.h),\n * "
                      : "mixwright_run (mixwright/runtime.h) ")
       << "on an array of tensors, in the order\n"
          " * of the constants below. B is the batch, H the number of heads; shapes are those of\n"
          " * layout MIXWRIGHT_BTHD. An input may have fewer heads if their number divides H. */\n"
       << "#ifndef " << guard << "\n#define " << guard << "\n\n#include \""
       << (hasDevices ? "mixwright/device.h" : "mixwright/runtime.h") << "\"\n\n"
       << "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\nenum {\n";
    if (goesOn(form))
      writeStep();
    else
      writeWhole();
    os << "  " << prefix << "_TENSORS = " << next << "\n};\n\n"
       << "extern const mixwright_kernel " << symbol
       << ";\n\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n";
  }

private:
  void writeWhole() {
    for (const Argument &arg : signature.inputs)
      writeTensor(arg, "", getKindName(arg.kind));
    for (const Argument &arg : signature.states)
      writeTensor(arg, "_IN", "initial state, may be NULL");
    for (const Argument &arg : signature.outputs)
      writeTensor(arg, "", "output");
    for (const Argument &arg : signature.states)
      writeTensor(arg, "_OUT", "final state, may be NULL");
  }

  void writeStep() {
    for (const StepArgument &argument : step) {
      if (const Argument *input = signature.findInput(argument.name))
        writeTensor(*input, "", getKindName(input->kind));
      else if (argument.kind == "output")
        writeTensor(*signature.findOutput(argument.name), "", "output");
      else
        writeKept(argument);
    }
  }

  /// Names that the compiler made hold dots.
  std::string makeConstant(StringRef name) {
    std::string constant = name.str();
    std::replace(constant.begin(), constant.end(), '.', '_');
    while (signature.findInput(constant) || signature.findOutput(constant))
      constant += '_';
    return constant;
  }

  void writeKept(const StepArgument &argument) {
    os << "  " << prefix << '_' << makeConstant(argument.name) << " = " << next++ << ", /* "
       << argument.kind << ' ';
    if (argument.kind == "position") {
      os << "int32 or int64 [B]: the number of earlier tokens */\n";
      return;
    }
    llvm::SmallVector<std::string> features;
    for (auto [axis, size] : llvm::zip(argument.axes, argument.sizes))
      if (size >= 0)
        features.push_back(axis + "=" + std::to_string(size));
    bool isCache = argument.kind == "cache";
    std::string heads =
        "H" + std::string(features.empty() ? "" : ", ") + llvm::join(features, ", ");
    os << argument.elementType << " [B, " << (isCache ? "rows, " : "") << heads << "]";
    if (isCache)
      os << " or [pages, rows of a page, " << heads << "], a row per token";
    if (argument.window > 0)
      os << ", the last " << argument.window << " of which are read";
    os << " */\n";
  }

  std::string describeAxis(StringRef axis) const {
    auto size = sizes.find(axis);
    bool isFixed = size != sizes.end() && !signature.isTokenAxis(axis);
    return isFixed ? (axis + "=" + llvm::Twine(size->second)).str() : axis.str();
  }

  void writeTensor(const Argument &arg, StringRef suffix, StringRef kind) {
    llvm::SmallVector<std::string> axes;
    for (const std::string &axis : arg.axes)
      axes.push_back(describeAxis(axis));
    if (arg.kind != ArgumentKind::Param) {
      bool tokensFirst = arg.tokensFirst && arg.kind != ArgumentKind::State;
      axes.insert(axes.begin() + (tokensFirst ? 1 : 0), "H");
      axes.insert(axes.begin(), "B");
    }
    ElementType real = arg.kind == ArgumentKind::State ? types.state : types.type;
    os << "  " << prefix << '_' << arg.name << suffix << " = " << next++ << ", /* " << kind << ' '
       << (arg.isInteger ? "int64" : getTypeName(real)) << " [" << llvm::join(axes, ", ") << "]"
       << (arg.kind == ArgumentKind::Param ? ", or with H in front" : "") << " */\n";
  }

  const Signature &signature;
  const SizeMap &sizes;
  Form form;
  TensorTypes types;
  StringRef targets;
  bool hasDevices;
  llvm::ArrayRef<StepArgument> step;
  llvm::raw_ostream &os;
  std::string symbol, prefix;
  int next = 0;
};

} // namespace

std::string mix::mixc::makeHeader(const Signature &signature, const SizeMap &sizes, Form form,
                                  TensorTypes types, StringRef targets, bool hasDevices,
                                  llvm::ArrayRef<StepArgument> step) {
  std::string text;
  llvm::raw_string_ostream os(text);
  HeaderWriter(signature, sizes, form, types, targets, hasDevices, step, os).write();
  return text;
}
