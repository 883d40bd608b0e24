"""Feeds broken and extreme texts to mix-translate and checks what it says."""
import random
import subprocess
import sys


def body(expr):
    return "mixer m(v: [T, V]) -> (o: [T, V]) {\n  for t in T { o[t] = %s }\n}\n" % expr


def chain(depth):
    lines = ["fn f0(x) = x"] + ["fn f%d(x) = f%d(x) * f%d(x)" % (n, n - 1, n - 1) for n in range(1, depth)]
    return "\n".join(lines) + "\n" + body("f%d(v[t])" % (depth - 1))


CASES = [
    ("", 1, "no-mixer"),
    ("\n\n// only a comment", 1, "no-mixer"),
    ("mixer", 1, "syntax"),
    (body("(" * 10**6 + "v[t]" + ")" * 10**6), 1, "too-deep"),
    (body("-" * 10**6 + "v[t]"), 1, "too-deep"),
    (body("1" + "^2" * 10**5), 1, "too-deep"),
    (body("if " * 10**5), 1, "too-deep"),
    (body("not " * 10**5 + "v[t]"), 1, "too-deep"),
    (body("v[" * 10**5), 1, "too-deep"),
    (body("sum[j in block(" * 10**5), 1, "too-deep"),
    (body("v[t]" + " + v[t]" * 10**5), 1, "too-deep"),
    (body("v[t]" + " + v[t]" * 300), 0, ""),
    (body("v[t]").replace("\n", "\r\n"), 0, ""),
    ("mixer m(v: [T]) -> (o: [T]) {" + "for t in T {" * 10**5, 1, "too-deep"),
    (chain(12), 0, ""),
    (chain(40), 1, "too-large"),
    (body("9" * 10**6), 1, "bad-number"),
    (body("1e99999"), 1, "bad-number"),
    (body("v[9007199254740992 + 1]"), 1, "bad-number"),
    (body("v[t] * (4 div 0)"), 1, "not-constant"),
    (body("x" * 10**6), 1, "unknown-value"),
    (body("v[t]").replace("v", "\0"), 1, "bad-character"),
    (body("v[t]").replace("o", "\u00e9"), 1, "bad-character"),
    ("\x80\xff" * 1000, 1, "bad-character"),
    (body("v[t] + \u03b1"), 1, "bad-character"),
    ('import "' + "a" * 10**5 + '"', 1, "import-failed"),
    ("import \"/dev/zero\"\n" + body("v[t]"), 1, "import-failed"),
    ("import \"/\"\n" + body("v[t]"), 1, "import-failed"),
]


def check(text, status, error):
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
    done = subprocess.run(["mix-translate", "-"], input=data, capture_output=True, timeout=60)
    said = done.stderr.decode("utf-8", "replace")
    if done.returncode != status or (error and "[%s]" % error not in said):
        print("FAILED (status %d, expected %d [%s]): %r\n%s" % (done.returncode, status, error, data[:80], said[:500]))
        return False
    return True


def main():
    ok = all([check(*case) for case in CASES])
    # A valid spec with bytes removed, doubled or replaced is refused or accepted, nothing else.
    seed = random.randrange(2**32)
    generator = random.Random(seed)
    valid = open(sys.argv[1], "rb").read() if len(sys.argv) > 1 else body("sum[j in T where j <= t](v[j])").encode()
    for _ in range(60):
        text = bytearray(valid)
        for _ in range(generator.randrange(1, 6)):
            at = generator.randrange(len(text))
            text[at:at + generator.randrange(3)] = bytes(generator.randrange(256) for _ in range(generator.randrange(3)))
        done = subprocess.run(["mix-translate", "-"], input=bytes(text), capture_output=True, timeout=60)
        if done.returncode not in (0, 1) or (done.returncode == 1 and b"error: " not in done.stderr):
            print("FAILED (seed %d): status %d for %r\n%r" % (seed, done.returncode, bytes(text), done.stderr[:500]))
            ok = False
    sys.exit(not ok)


main()
