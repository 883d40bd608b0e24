"""lit configuration: shell tests with FileCheck over the built tools."""
import os
import shutil
import sys
import lit.formats

config.name = "mixwright"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".mix", ".test"]
config.excludes = ["Inputs", "CMakeLists.txt", "lit.cfg.py", "lit.site.cfg.py"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.mixwright_build_dir, "test")

config.environment["PATH"] = os.pathsep.join(
    [os.path.join(config.mixwright_build_dir, "bin"), config.llvm_tools_dir, os.environ["PATH"]])
# Kernels that tests compile stay out of the user's cache.
config.environment["MIXWRIGHT_CACHE_DIR"] = os.path.join(config.test_exec_root, "cache")
config.environment["FILECHECK_OPTS"] = "--enable-var-scope --dump-input=fail"
config.substitutions.append(("%source_dir", config.mixwright_source_dir))
config.substitutions.append(("%build_dir", config.mixwright_build_dir))
config.substitutions.append(("%examples", os.path.join(config.mixwright_source_dir, "examples")))
config.substitutions.append(("%python", sys.executable))
config.substitutions.append(
    ("%mlir_includes", " ".join("-I " + path for path in config.mlir_include_dirs.split(";"))))

# Programs that only some tests need.
for tool in ["qemu-x86_64", "qemu-aarch64", "aarch64-linux-gnu-gcc", "ptxas"]:
    if shutil.which(tool):
        config.available_features.add(tool)

# Headers that only some tests need.
cuda_include = os.path.join(os.environ.get("CUDA_PATH", "/usr/local/cuda"), "include")
if os.path.exists(os.path.join(cuda_include, "cuda.h")):
    config.available_features.add("cuda-headers")
config.substitutions.append(("%cuda_include", cuda_include))
