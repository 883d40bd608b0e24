"""Parses the code blocks of a page of documentation.

usage: check-docs.py PAGE.md [Errors.def]

A block marked `mix` is a complete file, `mix body` is a part of the mixer that the
page shows (the block without a mark that starts with `mixer`). On docs/errors.md,
given Errors.def as well, `mix wrong [options]` must give the error of its section
and no other one, `mix right` none, and every error must have its section.
"""
import re
import subprocess
import sys


def translate(text, options=()):
    done = subprocess.run(["mix-translate", "-", *options], input=text, text=True, capture_output=True)
    return done.returncode, done.stderr


def main():
    page = open(sys.argv[1]).read()
    context = re.search(r"```\n(mixer .*?)\{ \.\.\. \}", page, re.S)
    section, checked, failures = "", 0, []
    wrong = set()
    # An error that only a long program has says so instead of showing one.
    for name in re.findall(r"^## (\S+)\n[^#]*?^No short program has this error", page, re.M):
        wrong.add(name)
    for heading, mark, text in re.findall(r"^## ([^\n]*)$|^```([^\n]*)\n(.*?)^```", page, re.S | re.M):
        if heading:
            section = heading.strip()
            continue
        words = mark.split()
        if not words or words[0] != "mix":
            continue
        checked += 1
        kind, options = (words + ["file"])[1], words[2:]
        if kind == "body":
            if not re.search(r"\bo\[", text):
                text += "for t in T { o[t] = v[t] }"
            text = context.group(1) + "{\n" + text + "\n}\n"
        status, messages = translate(text, options)
        ids = set(re.findall(r"error: .*\[([a-z-]+)\]$", messages, re.M))
        if kind == "wrong":
            wrong.add(section)
            if status != 1 or ids != {section}:
                failures.append(f"{section}: expected error [{section}], got {sorted(ids)}\n{messages}")
        elif status != 0:
            failures.append(f"{section}: does not parse\n{text}\n{messages}")
    if len(sys.argv) > 2:
        known = set(re.findall(r'^MIX_ERROR\(\w+, "(.*)"\)', open(sys.argv[2]).read(), re.M))
        failures += [f"no section with a wrong program: {name}" for name in sorted(known - wrong)]
        failures += [f"no such error: {name}" for name in sorted(wrong - known)]
    for failure in failures:
        print("FAILED", failure)
    print(f"{checked} code blocks, {len(failures)} failures")
    sys.exit(bool(failures) or checked == 0)


main()
