#!/usr/bin/env bash
# Real, unmodified clients against Gantry (or, to check the suite itself, against RocketMQ).
#
#   run.sh [--client NAME[,NAME...]] [--target gantry|rocketmq|rocketmq-VERSION] [--keep] [--prepare]
#
# Clients: java-4.9.8 java-5x java-3x go cpp mqadmin-4.9.8 mqadmin-5x quickstart binary tls cross death power room acl; all (the default) is
# every one of these, mqadmin both of its two. They mostly wait, so INTEROP_JOBS (default 3) of them run at a time, each against a target of
# its own; with NAMESRV_ADDR or INTEROP_JOBS=1 one after the other against one target.
# side-by-side, which runs only when named, compares Gantry's replies with those of both RocketMQ versions. power (Gantry only) runs a Java client while the
# broker's disk loses its power; it needs FUSE and POWERCUT_BINARY (default build/release/tests/powercut/powercut), else it is skipped.
# --prepare only fetches and compiles what the clients need, which needs no broker.
# Target: with NAMESRV_ADDR set, the running system behind it (tls, cross, death, power and room then cannot run and are left out).
# Otherwise a fresh one is started and stopped: Gantry from GANTRY_BINARY (default build/release/gantry), or RocketMQ
# with --target rocketmq. State and logs go to a temporary folder that is removed when all is well or told when not;
# --keep keeps it. INTEROP_ONLY and INTEROP_SKIP select cases by regular expressions for whole names; INTEROP_MANY sets
# the messages per thread of many_threads (default 2000, the full load is 20000). What Gantry does not promise yet is
# in not-yet.txt and left out; INTEROP_NOT_YET= (empty) tries it all the same. INTEROP_PATIENCE (default 2) multiplies
# all deadlines, for overloaded machines.
# The exit code is 0 when cases ran and all passed, 1 when some failed, 2 for a wrong call.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib/classpath.sh"
. "$(dirname "${BASH_SOURCE[0]}")/lib/process.sh"
. "$(dirname "${BASH_SOURCE[0]}")/lib/cpp_library.sh"
. "$(dirname "${BASH_SOURCE[0]}")/lib/clients.sh"
. "$(dirname "${BASH_SOURCE[0]}")/lib/targets.sh"
. "$(dirname "${BASH_SOURCE[0]}")/lib/lanes.sh"

# The longest first, so that no long one is left alone at the end.
CLIENTS_ALL=(mqadmin-5x mqadmin-4.9.8 cross java-5x java-4.9.8 acl tls death power go java-3x cpp binary quickstart room)
CLIENTS_NAMED=(side-by-side)
clients=("${CLIENTS_ALL[@]}")
TARGET=gantry
keep=0
prepare_only=0

usage() { sed -n '2,21s/^# \{0,1\}//p' "$0" >&2; exit 2; }

while [ $# -gt 0 ]; do
  case "$1" in
    --client) [ $# -ge 2 ] || usage; [ "$2" = all ] || IFS=, read -r -a clients <<<"$2"; shift 2 ;;
    --target) [ $# -ge 2 ] || usage; TARGET="$2"; shift 2 ;;
    --keep) keep=1; shift ;;
    --prepare) prepare_only=1; shift ;;
    *) usage ;;
  esac
done
mapfile -t clients < <(printf '%s\n' "${clients[@]}" | sed 's/^mqadmin$/mqadmin-5x\nmqadmin-4.9.8/')
for client in "${clients[@]}"; do
  case " ${CLIENTS_ALL[*]} ${CLIENTS_NAMED[*]} " in
    *" $client "*) ;;
    *) echo "interop: no client $client; there are: ${CLIENTS_ALL[*]} mqadmin ${CLIENTS_NAMED[*]} all" >&2; exit 2 ;;
  esac
done

if [ $prepare_only -eq 1 ]; then
  for client in "${clients[@]}"; do prepare "$client" || exit 1; done
  echo "interop: the clients are ready"
  exit 0
fi

WORK="$(mktemp -d "${TMPDIR:-/tmp}/gantry-interop.XXXXXX")"
export INTEROP_OWNER_PID=$$
PASSED=0
FAILED=0
SKIPPED=0
GIVEN_NAMESRV_ADDR="${NAMESRV_ADDR:-}"
check_target || exit 2

finish() {
  end_lanes
  stop_all_targets || FAILED=$((FAILED + 1))
  if [ $FAILED -eq 0 ] && [ $keep -eq 0 ]; then
    rm -rf "$WORK"
  else
    echo "interop: logs are in $WORK"
  fi
}
trap 'FAILED=1; finish; exit 130' INT TERM

# run_program NAME COMMAND...: shows its output and adds up its closing line. A program without one has failed.
run_program() {
  local name="$1" out="$WORK/$1.out" closing
  shift
  echo "== $name"
  "$@" 2>"$WORK/$name.err" | tee "$out"
  closing="$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$out" | tail -n 1)"
  if [[ "$closing" =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
    PASSED=$((PASSED + BASH_REMATCH[1]))
    FAILED=$((FAILED + BASH_REMATCH[2]))
    SKIPPED=$((SKIPPED + BASH_REMATCH[3]))
  else
    FAILED=$((FAILED + 1))
    echo "FAIL $name: ended without a result; the end of its error output:"
    tail -n 10 "$WORK/$name.err"
  fi
}

# What Gantry does not promise yet, and what RocketMQ does not, is listed and said by each program.
case "$TARGET" in
  gantry) export INTEROP_NOT_YET="${INTEROP_NOT_YET-$(list_cases "$INTEROP_DIR/not-yet.txt")}" ;;
  *) export INTEROP_NOT_YET="${INTEROP_NOT_YET-$(rocketmq_differs "${TARGET#rocketmq-}")}" ;;
esac

started_s=$SECONDS
jobs="${INTEROP_JOBS:-3}"
[ -z "$GIVEN_NAMESRV_ADDR" ] || jobs=1
if [ "$jobs" -gt 1 ] && [ ${#clients[@]} -gt 1 ]; then
  run_lanes "$jobs" "${clients[@]}"
else
  for client in "${clients[@]}"; do
    "run_${client//[-.]/_}"
  done
fi
finish
echo "interop: $PASSED passed, $FAILED failed, $SKIPPED skipped"
echo "interop took $((SECONDS - started_s)) s"
[ $FAILED -eq 0 ] && [ $PASSED -gt 0 ]
