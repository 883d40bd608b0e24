"""Random specs through the compiler: random_specs.py --count N --seed S [--kind KIND].

Writes mixers that nobody has written: recurrences with any order of decays, writes and
reads, and attention with any scores, masks and normalisers. For each, level L1 is the
meaning; its normal form (L2) and its tile program (L3) must compute the same. Prints
the specs that do not, and ends in `N passed, N failed`.
"""
import argparse
import pathlib
import random
import subprocess
import sys
import tempfile

SIZES = "K=7,V=5"
LENGTHS = [0, 1, 2, 9, 33]
PIPELINES = {
    "L2": ["--mix-normalize"],
    "L3": ["--mix-normalize", "--mix-tile-pipeline=element=f64 chunk=8 rows=8 keys=8"],
}

ARGUMENTS = {
    "q": "[T, K]", "k": "[T, K]", "k2": "[T, K]", "v": "[T, V]", "v2": "[T, V]", "g": "[T]",
    "gk": "[T, K]", "gv": "[T, V]", "b": "[T]", "b2": "[T]", "bv": "[T, V]", "u": "param [K]",
    "s": "param []", "doc": "int [T]",
}


def mixer(body):
    """A mixer with the arguments that its body uses, and v, which gives the axis V."""
    code = "v " + body.replace("[", " [ ").replace("(", " ( ").replace(")", " ) ").replace(",", " ")
    used = [name for name in ARGUMENTS if name in code.split()]
    arguments = ", ".join(f"{name}: {ARGUMENTS[name]}" for name in used)
    return f"mixer random({arguments}) -> (o: [T, V]) {{\n{body}}}\n"


class Recurrence:
    """A recurrence in a K x V state, and sometimes in a second one.

    Gates are squashed and keys have length one, so that no state grows without bound."""

    def __init__(self, rng):
        self.rng, self.reads = rng, 0

    def key(self):
        return self.rng.choice(["l2norm(k[t])", "l2norm(k2[t])", "l2norm(k[t] * u)", "l2norm(q[t])"])

    def value(self):
        return self.rng.choice(["v[t]", "v2[t]", "sigmoid(bv[t]) * v[t]", "(v[t] - 0.5 * v2[t])",
                                "(if t >= 1 then v[t - 1] else 0)", "rmsnorm(v[t])", "softmax(v2[t])"])

    def scalar(self):
        return self.rng.choice(["sigmoid(b[t])", "sigmoid(b2[t])", "0.5", "-0.25", "tanh(s)"])

    def decay(self):
        return self.rng.choice(["exp(-abs(g[t]))", "sigmoid(g[t])", "exp(-softplus(gk[t]))",
                                "sigmoid(gv[t])", "0.9", "sigmoid(s)", "exp(-abs(gk[t]) - abs(g[t]))",
                                "(if t mod 3 == 0 then 0 else sigmoid(g[t]))", "sigmoid(gk[t]) * sigmoid(gv[t])",
                                "-0.7"])

    def row(self):
        """A value over V that may depend on the state."""
        read = f"dot({self.key()}, S)"
        return self.rng.choice([self.value(), f"({self.value()} - {read})",
                                f"({read} - {self.value()})", f"0.5 * {read}"])

    def statement(self):
        kind = self.rng.randrange(9)
        if kind == 0:
            return f"S = {self.decay()} * S"
        if kind == 1:
            return f"S = S + {self.scalar()} * {self.key()} * {self.row()}"
        if kind == 2:
            return f"S = S - {self.scalar()} * {self.row()} * {self.key()}"
        if kind == 3:
            return f"S = {self.decay()} * S + {self.key()} * {self.row()}"
        if kind == 4:
            self.reads += 1
            return f"let r{self.reads} = dot({self.key()}, S)"
        if kind == 5:  # the other orientation: the state is read along V
            return f"S = {self.decay()} * S + 0.2 * {self.scalar()} * dot(l2norm(v[t]), S) * l2norm(v2[t])"
        if kind == 6:
            return f"S = S / (1 + abs(g[t])) + sum[K]({self.key()} * S) * {self.key()} / 4"
        if kind == 7:  # not affine
            return f"S = {self.rng.choice(['tanh(S)', 'max(S, -1)', 'S / (1 + sum[K](S * S))'])}"
        return (f"S = {self.decay()} * (S - {self.scalar()} * {self.key()} * "
                f"dot({self.key()}, S)) + {self.key()} * {self.value()}")

    def spec(self):
        return mixer(self.body("o[t]"))

    def body(self, output):
        """The recurrence, with a value of every token assigned to `output`."""
        lines = ["state S: [K, V] = 0"]
        second = self.rng.random() < 0.3
        if second:
            lines.append("state z: [V] = 1")
        lines.append("for t in T {")
        statements = [self.statement() for _ in range(self.rng.randint(1, 4))]
        if not any(line.startswith("S =") for line in statements):
            statements.append("S = sigmoid(g[t]) * S + k[t] * v[t]")
        if second:
            statements.append("z = sigmoid(gv[t]) * z + 0.1 * dot(l2norm(q[t]), S)")
        terms = [f"r{n}" for n in range(1, self.reads + 1)] + ["dot(q[t], S)"]
        terms += ["z"] if second else []
        terms += [self.value()] if self.rng.random() < 0.3 else []
        statements.append(f"{output} = {' + '.join(terms)}")
        lines += ["  " + statement for statement in statements] + ["}"]
        return "".join(f"  {line}\n" for line in lines)


VALUES = ["v[j]", "v[j] * sigmoid(b[j])", "(v[j] + v2[j])", "v[j] * v2[i]"]


class Attention:
    """Scores of pairs of tokens under a mask, and a normaliser."""

    def __init__(self, rng):
        self.rng = rng

    def score(self):
        score = "0.4 * dot(q[i], k[j])"
        for _ in range(self.rng.randint(0, 2)):
            score = self.rng.choice([
                f"({score} + c[i] - c[j])", f"({score} - 0.1 * (i - j))", f"2.0 * tanh({score} / 2.0)",
                f"({score} + b[j])", f"({score} * sigmoid(b2[i]))", f"({score} + 0.3 * dot(k2[j], u))",
            ])
        return score

    def mask(self):
        conditions = self.rng.sample(["j <= i", "i - j < 5", "doc[i] == doc[j]", "j mod 3 != 1",
                                      "block(i) == block(j)", "j >= 2", "g[j] > -0.5", "j < i"],
                                     self.rng.randint(0, 2))
        if not conditions:
            return ""
        return " where " + self.rng.choice([" and ", " and ", " or "]).join(conditions)

    def spec(self):
        return mixer(self.body(self.rng.choice(VALUES)))

    def body(self, value):
        """The attention to a value of every token."""
        mask, score = self.mask(), self.score()
        lines = ["axis B = T / 4"] if "block" in mask else []
        if "c[" in score:
            lines.append("let c[t in T] = cumsum[t](-abs(g[t]))")
        lines.append("for i in T {")
        lines.append(f"  let s_[j in T{mask}] = {score}")
        weight = self.rng.choice(["softmax[j](s_[j])", "softmax[j](s_[j])", "sigmoid(s_[j])", "s_[j]",
                                  "relu(s_[j])", "softmax[j; ](s_[j], s)"])
        lines.append(f"  let p[j] = {weight}")
        output = f"sum[j](p[j] * {value})"
        output = self.rng.choice([output, output, f"{output} * sigmoid(bv[i])",
                                  f"{output} / (1 + sum[j](abs(p[j])))", f"{output} + v2[i]"])
        lines += [f"  o[i] = {output}", "}"]
        return "".join(f"  {line}\n" for line in lines)


class Composition:
    """Attention to what a recurrence makes of the tokens."""

    def __init__(self, rng):
        self.rng = rng

    def spec(self):
        recurrence = Recurrence(self.rng).body("let y[t]")
        value = self.rng.choice(["y[j]", "y[j] * sigmoid(b[j])", "(y[j] - v[j])"])
        return mixer(recurrence + Attention(self.rng).body(value))


KINDS = {"recurrence": Recurrence, "attention": Attention, "composition": Composition}
NOT_TILED = object()


def run(command, **kwargs):
    return subprocess.run(command, text=True, capture_output=True, timeout=120, **kwargs)


def test(spec, folder):
    """The first level that differs from the definition, with what the tools said; or None;
    or NOT_TILED, if all is well but there is no tile program."""
    (folder / "spec.mix").write_text(spec)
    built = run(["mix-translate", f"--size={SIZES}", str(folder / "spec.mix")])
    if built.returncode:
        return "L1", built.stderr
    (folder / "L1.mlir").write_text(built.stdout)
    for level, passes in PIPELINES.items():
        lowered = run(["mix-opt", *passes, str(folder / "L1.mlir"), "-o", str(folder / f"{level}.mlir")])
        if lowered.returncode:
            return level, lowered.stderr
        if level == "L3" and "mix.mixer" in (folder / "L3.mlir").read_text():
            return NOT_TILED
        sizes = [f"--size=T={length},{SIZES}" for length in LENGTHS]
        compared = run(["mix-evaluate", str(folder / "L1.mlir"), "--against", str(folder / f"{level}.mlir"),
                        *sizes])
        if compared.returncode:
            return level, compared.stdout + compared.stderr
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--kind", choices=sorted(KINDS))
    options = parser.parse_args()
    failed = untiled = 0
    for number in range(options.count):
        rng = random.Random(f"{options.seed} {number}")
        kind = KINDS[options.kind] if options.kind else list(KINDS.values())[number % len(KINDS)]
        spec = kind(rng).spec()
        with tempfile.TemporaryDirectory() as folder:
            failure = test(spec, pathlib.Path(folder))
        if failure is NOT_TILED:
            untiled += 1
        elif failure:
            failed += 1
            print(f"spec {number} fails at {failure[0]}:\n{spec}\n{failure[1]}")
    print(f"{untiled} without a tile program")
    print(f"{options.count - failed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
