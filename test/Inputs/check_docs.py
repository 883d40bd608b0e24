"""Checks generated dialect pages: check_docs.py MIX_OPT PAGE...

Every op needs a summary and an example, and every example must parse. An example may
use values that it does not define; they get whatever type the example gives them.
"""
import re
import subprocess
import sys

ERROR = re.compile(r"^<stdin>:(\d+):\d+: error: (.*)$", re.M)
WRONG_TYPE = re.compile(r"use of value '%([\w$.-]+)' expects different type than prior uses: "
                        r"'(.*)' vs 'none'")


class Example:
    """An example of an op, and the types of the values that it does not define."""

    def __init__(self, op, text):
        self.op, self.text, self.error = op, text, None
        code = re.sub(r"//.*", "", text)
        defined = set()
        for left in re.findall(r"((?:%[\w$.-]+(?:, )?)+)(?::\d+)? =", code):
            defined.update(re.findall(r"%([\w$.-]+)", left))
        defined.update(re.findall(r"%([\w$.-]+): ", code))
        free = [name for name in re.findall(r"%([\w$.-]+)", code) if name not in defined]
        self.types = {} if "func.func" in text else dict.fromkeys(free, "none")

    def module(self):
        if "func.func" in self.text:
            return self.text
        given = "".join(f'%{name} = "doc.given"() : () -> {type}\n'
                        for name, type in self.types.items())
        return f"func.func @example() {{\n{given}{self.text}return\n}}\n"


def first_errors(mix_opt, examples):
    """The parser's first complaint of each example, from one run over all of them."""
    text, starts = "", []
    for example in examples:
        starts.append(text.count("\n") + 1)
        text += example.module() + "// -----\n"
    run = subprocess.run([mix_opt, "--allow-unregistered-dialect", "--split-input-file"],
                         input=text, text=True, capture_output=True)
    errors = {}
    for line, message in ERROR.findall(run.stderr):
        index = max(n for n, start in enumerate(starts) if start <= int(line))
        errors.setdefault(index, message)
    return [errors.get(index) for index in range(len(examples))]


def parse_all(mix_opt, examples):
    """Parses every example; asks again as long as the parser names a type."""
    pending = examples
    while pending:
        again = []
        for example, error in zip(pending, first_errors(mix_opt, pending)):
            wrong = WRONG_TYPE.search(error or "")
            if wrong:
                example.types[wrong.group(1)] = wrong.group(2)
                again.append(example)
            else:
                example.error = error
        pending = again


def read_pages(pages):
    """All examples of the pages, and the complaints about ops that lack something."""
    examples, complaints = [], []
    for page in pages:
        sections = re.split(r"^### `([\w.]+)` \(.*\)$", open(page).read(), flags=re.M)[1:]
        for op, body in zip(sections[::2], sections[1::2]):
            body = re.split(r"^## ", body, flags=re.M)[0]
            texts = re.findall(r"```mlir\n(.*?)```", body, flags=re.S)
            examples += [Example(op, text) for text in texts]
            if not texts:
                complaints.append(f"{op}: no example")
            if not re.search(r"^_.+_$", body, flags=re.M):
                complaints.append(f"{op}: no summary")
    return examples, complaints


examples, complaints = read_pages(sys.argv[2:])
parse_all(sys.argv[1], examples)
complaints += [f"{example.op}: the example does not parse: {example.error}"
               for example in examples if example.error]
print("\n".join(complaints))
sys.exit(1 if complaints else 0)
