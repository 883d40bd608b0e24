# What scripts/test and scripts/test-heavy share: counted checks. To be sourced.
passed=0 failed=0

# check NAME COMMAND...: one check that passes or fails as a whole; its output shows if it fails.
check() {
  local name=$1 log
  shift
  if log=$("$@" 2>&1); then
    echo "PASS: $name"
    passed=$((passed + 1))
  else
    printf 'FAIL: %s\n%s\n' "$name" "$log"
    failed=$((failed + 1))
  fi
}

# sources ENDING...: our files with one of these endings.
sources() {
  local ending names=()
  for ending in "$@"; do names+=(-o -name "*.$ending"); done
  find . \( -name 'build*' -o -name '.*' ! -name . \) -prune -o -type f \( "${names[@]:1}" \) -print | sort
}

# run_suite BUILD LIMIT: every lit test and unit test of a build, counted one by one, in at most LIMIT.
run_suite() {
  local build=$1 limit=$2 results=$1/test/results.json suite_passed suite_failed
  rm -f "$results"
  timeout "$limit" /usr/lib/llvm-22/bin/lit -s -j "$(nproc)" --output "$results" "$build/test" ||
    [[ -s $results ]] # a failure shows in the results; no results is an error of its own
  read -r suite_passed suite_failed < <(python3 - "$results" <<'END'
import json, sys
codes = [test["code"] for test in json.load(open(sys.argv[1]))["tests"]]
passed = sum(code in ("PASS", "XFAIL", "FLAKYPASS") for code in codes)
skipped = sum(code in ("UNSUPPORTED", "EXCLUDED", "SKIPPED") for code in codes)
print(passed, len(codes) - passed - skipped)
END
)
  passed=$((passed + suite_passed)) failed=$((failed + suite_failed))
}

# The last line, and the exit status.
finish() {
  echo "$passed passed, $failed failed"
  ((failed == 0))
}
