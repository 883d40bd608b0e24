"""Checks the include rule of docs/architecture.md: check_layering.py ROOT."""
import pathlib
import re
import sys

# For each folder, the prefixes of our own files that it may include besides itself.
ALLOWED = {
    "dialect": [],
    "frontends": ["dialect/", "mixwright/abi.h"],
    "passes": ["dialect/"],
    "codegen": ["dialect/", "passes/Passes.h", "mixwright/abi.h", "mixwright/x86_features.def"],
    "runtime": ["mixwright/"],
}
OURS = re.compile(r"(dialect|frontends|passes|codegen|runtime|tools|test|mixwright)/")
INCLUDE = re.compile(r'\s*#\s*include\s+["<]([^">]+)[">]')


def violations(root):
    for folder, allowed in ALLOWED.items():
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in (".h", ".cpp", ".c", ".td", ".inc"):
                continue
            for number, line in enumerate(path.read_text().splitlines(), 1):
                match = INCLUDE.match(line)
                if not match or not OURS.match(match.group(1)):
                    continue
                target = match.group(1)
                if not any(target.startswith(prefix) for prefix in [folder + "/"] + allowed):
                    yield f"{path.relative_to(root)}:{number}: '{folder}' may not include \"{target}\""


found = list(violations(pathlib.Path(sys.argv[1])))
print("\n".join(found))
sys.exit(1 if found else 0)
