#!/usr/bin/env bash
# Builds the store with one safety step left out at a time and runs its tests, which must fail. Prints which test noticed.
#   usage: mutations.sh [BUILD_DIR [NAME...]]      NAME: of mutated("NAME") in plugins/store-commitlog; all of them when none is given
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=${1:-$root/build/mutations}
[ $# -ge 1 ] && shift
names=${*:-$(grep -rhoE 'mutated\("[a-z-]+"\)' "$root"/plugins/store-commitlog/*.cpp | sed 's/.*("\(.*\)").*/\1/' | sort -u)}
program=$build/tests/store-commitlog/store-commitlog-test
# The tests of one idea each come first: they are quick. The enumerator looks for what is left.
quick='Damage*:Faults*:Order*:Stale*:Tail*:References*:Flips*:PowerCut*' slow='*Recorded*:*Injected*:*/PowerCut*'

build_with() { # build_with NAME ("" = none)
  cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DGANTRY_TESTS=ON -DGANTRY_MUTATION="$1" >"$build.log" 2>&1 &&
    cmake --build "$build" --target store-commitlog-test >>"$build.log" 2>&1 || { tail -n 40 "$build.log"; exit 2; }
}
# 0: the tests pass. The run ends with the first failure; one that hangs is one.
run_tests() {
  local suites
  for suites in "$quick" "$slow"; do
    GANTRY_ENUMERATE=${GANTRY_ENUMERATE:-700} timeout 600 "$program" --gtest_filter="$suites" --gtest_fail_fast --gtest_brief=1 >"$build/tests.log" 2>&1 || return 1
  done
}

mkdir -p "$build"
build_with ""
if ! run_tests; then
  tail -n 60 "$build/tests.log"
  echo "the tests fail without a mutation: nothing can be said"
  exit 1
fi
echo "none: the tests pass"
survived=()
for name in $names; do
  build_with "$name"
  if run_tests; then
    survived+=("$name")
    echo "$name: NOT NOTICED"
  else
    echo "$name: noticed by $(grep -m1 -oE '^\[  FAILED  \] [^ ,(]+' "$build/tests.log" | cut -c14- || true)"
  fi
done
build_with ""
[ ${#survived[@]} -eq 0 ] || { echo "not noticed: ${survived[*]}"; exit 1; }
