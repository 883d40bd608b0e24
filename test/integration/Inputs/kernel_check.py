"""Kernels as C programs use them, where mixc itself cannot run them.

  kernel_check.py (aarch64 | addresses) MIXC SOURCE_DIR WORK_DIR SPEC...

Compiles every form that can be derived of every spec, links it with the runtime and
run-npy.c, runs it on random tensors, and compares with `mixc run --form reference`:

  aarch64     cross-compiled, on an emulated processor
  addresses   every access of kernel and runtime checked by the address sanitizer

Ends in "N passed, N failed".
"""
import dataclasses
import json
import pathlib
import re
import subprocess
import sys


@dataclasses.dataclass
class Way:
    """How to compile a kernel, to build a program and to run it."""
    options: list
    compiler: list
    emulator: list


WAYS = {
    "aarch64": Way(["--target", "aarch64"],
                   ["aarch64-linux-gnu-gcc", "-O1", "-static", "-idirafter", "/usr/include"],
                   ["qemu-aarch64"]),
    "addresses": Way(["--check-addresses"], ["clang-22", "-O1", "-g", "-fsanitize=address"], []),
}


class Failure(Exception):
    pass


def run(*words):
    result = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if result.returncode != 0:
        raise Failure((result.stderr or result.stdout).strip())
    return result.stdout


def choose_sizes(mixc, spec):
    """Sizes of the feature axes, and of all: explain takes 64 for a feature axis and
    1024 for tokens where it is told nothing."""
    sizes = json.loads(run(mixc, "explain", spec, "--json"))["sizes"]
    features = [axis for axis in sizes if sizes[axis] == 64]
    tokens = [axis for axis in sizes if sizes[axis] == 1024]
    features = {axis: (5, 7, 3)[n % 3] for n, axis in enumerate(features)}
    return features, {**features, **{axis: 75 + 5 * n for n, axis in enumerate(tokens)}}


def join(sizes):
    return ",".join(f"{axis}={size}" for axis, size in sizes.items())


def read_arguments(header):
    """The names of inputs (params too), states and outputs that a header declares."""
    text = header.read_text()
    prefix = re.search(r"^  (\w+)_TENSORS = ", text, re.M).group(1)
    rows = re.findall(rf"^  {prefix}_(\w+) = \d+, /\* (input|param|initial state|output)", text, re.M)
    return ([name for name, kind in rows if kind in ("input", "param")],
            [name.removesuffix("_IN") for name, kind in rows if kind == "initial state"],
            [name for name, kind in rows if kind == "output"])


class Checker:
    def __init__(self, way, mixc, source, work):
        self.way, self.mixc, self.work = way, mixc, work
        self.compile = [*way.compiler, "-std=gnu11", "-I", source, "-I", source / "runtime/include"]
        self.runner = source / "test/integration/Inputs/run-npy.c"
        self.runtime = []
        for file in sorted((source / "runtime").glob("*.c")):
            self.runtime.append(work / (file.stem + ".runtime.o"))
            run(*self.compile, "-c", file, "-o", self.runtime[-1])

    def check(self, spec, form):
        """How many tensors were compared; None if there is no such form."""
        work = self.work / f"{spec.stem}-{form}"
        work.mkdir(exist_ok=True)
        features, sizes = choose_sizes(self.mixc, spec)
        try:
            run(self.mixc, "compile", spec, *self.way.options, "--form", form,
                *(["--size", join(features)] if features else []), "--output", work)
        except Failure as failure:
            if f"no {form} form" in str(failure):
                return None
            raise
        header = next(work.glob("*.h"))
        run(*self.compile, f"-DKERNEL=mixwright_kernel_{header.stem}", self.runner,
            header.with_suffix(".o"), *self.runtime, "-lm", "-lpthread", "-o", work / "run")
        return self.compare(spec, work, sizes, *read_arguments(header))

    def compare(self, spec, work, sizes, inputs, states, outputs):
        run(self.mixc, "draw", spec, "--shape", "B=1,H=1," + join(sizes), "--states", "--output", work)

        def define(suffix, dtype):
            words = [self.mixc, "run", spec, "--form", "reference", "--dtype", dtype]
            words += ["--in", *(f"{name}={work}/{name}.npy" for name in inputs)]
            words += ["--out", *(f"{name}={work}/{name}.{suffix}.npy" for name in outputs)]
            if states:
                words += ["--state-in", *(f"{name}={work}/{name}.state.npy" for name in states)]
                words += ["--state-out", *(f"{name}={work}/{name}.state-{suffix}.npy" for name in states)]
            run(*words)

        define("expected", "f64")
        define("result", "f32")  # files with the right headers, which the kernel overwrites
        run(*self.way.emulator, work / "run",
            *(f"{name}={work}/{name}.npy" for name in inputs),
            *(f"{name}={work}/{name}.state.npy" for name in states),
            *(f"{name}={work}/{name}.result.npy" for name in outputs),
            *(f"{name}:out={work}/{name}.state-result.npy" for name in states))
        patterns = [f"{name}.{{}}.npy" for name in outputs]
        patterns += [f"{name}.state-{{}}.npy" for name in states]
        for pattern in patterns:
            run(self.mixc, "compare", work / pattern.format("result"), work / pattern.format("expected"))
        return len(patterns)


def main():
    way, mixc, source, work, *specs = sys.argv[1:]
    work = pathlib.Path(work)
    work.mkdir(parents=True, exist_ok=True)
    checker = Checker(WAYS[way], mixc, pathlib.Path(source), work)
    passed = failed = 0
    for spec in map(pathlib.Path, specs):
        for form in ["chunked", "recurrent"]:
            try:
                compared = checker.check(spec, form)
            except Failure as failure:
                failed += 1
                print(f"{spec.name} {form}: FAILED: {failure}", flush=True)
                continue
            if compared:
                passed += 1
                print(f"{spec.name} {form}: {compared} tensors agree", flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
