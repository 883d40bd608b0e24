"""Runs `mixc check` on every .mix file of a folder: check_examples.py MIXC FOLDER [OPTION...]."""
import json
import pathlib
import subprocess
import sys

mixc, folder, *options = sys.argv[1:]
failed = 0
for spec in sorted(pathlib.Path(folder).glob("*.mix")):
    result = subprocess.run([mixc, "check", str(spec), "--json", *options], capture_output=True, text=True)
    try:
        report = json.loads(result.stdout)
    except ValueError:
        failed += 1
        print(f"{spec.name}: FAILED: {result.stderr.strip()}")
        continue
    derived = [f"{form['form']} {form['dtype']}" for form in report["forms"] if form["derived"]]
    print(f"{spec.name}: {report['passed']} passed, {report['failed']} failed; {', '.join(derived)}")
    for form in report["forms"]:
        for case in form["cases"]:
            if not case["passed"]:
                failed += 1
                print(f"  FAILED {form['form']} {form['dtype']} {case['name']} {case['sizes']}: "
                      f"{case['failure'] or case['error']}")
print(f"{failed} FAILED" if failed else "all examples agree with their definitions")
