"""Mixwright itself: draws inputs, compiles a mixer, and calls it in this process."""
import ctypes
import pathlib
import re
import subprocess

import numpy
import torch

from .problem import DTYPES, Call, Problem

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MIXC = ROOT / "build" / "bin" / "mixc"


class Tensor(ctypes.Structure):
    """DLTensor of <dlpack/dlpack.h>."""

    _fields_ = [("data", ctypes.c_void_p), ("device_type", ctypes.c_int32), ("device_id", ctypes.c_int32),
                ("ndim", ctypes.c_int32), ("code", ctypes.c_uint8), ("bits", ctypes.c_uint8),
                ("lanes", ctypes.c_uint16), ("shape", ctypes.POINTER(ctypes.c_int64)),
                ("strides", ctypes.POINTER(ctypes.c_int64)), ("byte_offset", ctypes.c_uint64)]


CODES = {torch.float32: (2, 32), torch.float64: (2, 64), torch.float16: (2, 16), torch.bfloat16: (4, 16),
         torch.int32: (0, 32), torch.int64: (0, 64)}


def describe(tensor: torch.Tensor) -> Tensor:
    code, bits = CODES[tensor.dtype]
    dims = ctypes.c_int64 * tensor.dim()
    return Tensor(tensor.data_ptr(), 1, 0, tensor.dim(), code, bits, 1, dims(*tensor.shape),
                  dims(*tensor.stride()), 0)


def run(*command) -> None:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())


def draw(mixer: str, shape: str, dtype: str, folder: pathlib.Path) -> Problem:
    """Inputs on which the definition behaves (`mixc draw`), rounded to the dtype."""
    run(MIXC, "draw", ROOT / "examples" / f"{mixer}.mix", "--shape", shape, "--output", folder)
    inputs = {}
    for path in sorted(folder.glob("*.npy")):
        tensor = torch.from_numpy(numpy.load(path))
        inputs[path.stem] = tensor.to(DTYPES[dtype]) if tensor.is_floating_point() else tensor
    return Problem(mixer, shape, dtype, inputs)


class Kernel:
    """A mixer compiled ahead of time for the feature sizes of a problem."""

    def __init__(self, problem: Problem, folder: pathlib.Path):
        sizes = problem.sizes()
        features = ",".join(f"{name}={size}" for name, size in sizes.items() if name not in "BHT")
        run(MIXC, "compile", ROOT / "examples" / f"{problem.mixer}.mix", "--size", features, "--dtype", problem.dtype,
            "--emit", "so,header", "--output", folder)
        library = next(folder.glob(f"{problem.mixer}_*.so"))
        header = library.with_suffix(".h").read_text()
        prefix = problem.mixer.upper()
        self.place = {name: int(n) for name, n in re.findall(rf"^  {prefix}_(\w+) = (\d+)", header, re.M)}
        # The first output, and the dimensions behind [B, T, H] that are fixed: [.., V=128].
        output = re.search(rf"^  {prefix}_(\w+) = \d+, /\* output \w+ \[(.*?)\]", header, re.M)
        self.output, self.features = output[1], [int(size) for size in re.findall(r"=(\d+)", output[2])]
        runtime = ctypes.CDLL(str(ROOT / "build" / "lib" / "libmixwright_runtime.so"), ctypes.RTLD_GLOBAL)
        runtime.mixwright_last_error.restype = ctypes.c_char_p
        self.runtime = runtime
        self.kernel = ctypes.byref(ctypes.c_char.in_dll(ctypes.CDLL(str(library)), f"mixwright_kernel_{library.stem}"))

    def prepare(self, problem: Problem) -> Call:
        count = self.place["TENSORS"]
        sequence = next(t for t in problem.inputs.values() if t.dim() > 3)
        output = torch.full((*sequence.shape[:3], *self.features), float("nan"), dtype=sequence.dtype)
        tensors = {**problem.inputs, self.output: output}
        described = {name: describe(tensor) for name, tensor in tensors.items()}
        pointers = (ctypes.POINTER(Tensor) * count)()
        for name, tensor in described.items():
            pointers[self.place[name]] = ctypes.pointer(tensor)

        def call() -> torch.Tensor:
            if self.runtime.mixwright_run(self.kernel, pointers, count, None):
                raise RuntimeError(self.runtime.mixwright_last_error().decode())
            return output

        call.keep = (tensors, described)
        return call
