# Sourced by run.sh: starts and stops the system that is tested. Uses WORK, TARGET and GIVEN_NAMESRV_ADDR.

NEWEST_4=4.9.7   # newest 4.x server that is published
NEWEST_5=5.5.0
TARGET_DIRS=()

# What the cases need of a broker beyond its defaults, as each side writes it: transactions that are asked about soon,
# trace, filters, scripts, timers, recall. RocketMQ ignores keys that its version does not have.
ROCKETMQ_FEATURES=(enablePropertyFilter=true traceTopicEnable=true transactionCheckInterval=1000 transactionTimeOut=2000
  transactionOpBatchInterval=200 timerWheelEnable=true recallMessageEnable=true)
export GANTRY_BROKER="transaction_check_interval = \"1s\"
transaction_timeout = \"2s\"

[[filter]]
plugin = \"filter-lua\"
scripts = \"$INTEROP_DIR/scripts\"
"

# list_cases FILE: its lines as one regular expression.
list_cases() { sed -e 's/#.*//' -e 's/[[:space:]]*$//' -e '/^$/d' "$1" | paste -sd'|'; }

# rocketmq_differs VERSION: the cases that this version is not held to, as one regular expression.
rocketmq_differs() {
  sed -e 's/#.*//' -e 's/[[:space:]]*$//' -e '/^$/d' "$INTEROP_DIR/rocketmq-differs.txt" |
    awk -v major="${1%%.*}" '$1 == "*" || $1 == major { print $2 }' | paste -sd'|'
}

# check_target: says what will be tested, or why nothing can be.
check_target() {
  if [ -n "$GIVEN_NAMESRV_ADDR" ]; then
    echo "interop: testing the running system behind name server $GIVEN_NAMESRV_ADDR"
    return
  fi
  case "$TARGET" in
    gantry)
      GANTRY_BINARY="${GANTRY_BINARY:-$REPO_DIR/build/release/gantry}"
      if [ ! -x "$GANTRY_BINARY" ]; then
        echo "interop: $GANTRY_BINARY is not there; build it (./run --build-only), set GANTRY_BINARY or NAMESRV_ADDR" >&2
        return 1
      fi
      GANTRY_BINARY="$(cd "$(dirname "$GANTRY_BINARY")" && pwd)/$(basename "$GANTRY_BINARY")"
      echo "interop: testing $GANTRY_BINARY"
      ;;
    rocketmq) TARGET="rocketmq-$NEWEST_4"; echo "interop: testing RocketMQ $NEWEST_4" ;;
    rocketmq-*) echo "interop: testing RocketMQ ${TARGET#rocketmq-}" ;;
    *) echo "interop: no target $TARGET; there are: gantry rocketmq rocketmq-VERSION" >&2; return 1 ;;
  esac
}

free_ports() { # sets NSPORT and PORT
  read -r NSPORT PORT < <(python3 "$INTEROP_DIR/lib/free_ports.py")
}

# The verbs of rocketmq.sh and gantry.sh for a side (gantry or rocketmq-VERSION): control SIDE VERB DIR ARGS...
control() {
  local side="$1" verb="$2" dir="$3"
  shift 3
  case "$side $verb" in
    "gantry start"*) "$INTEROP_DIR/gantry.sh" "$verb" "$GANTRY_BINARY" "$dir" "$@" ;;
    gantry*) "$INTEROP_DIR/gantry.sh" "$verb" "$dir" "$@" ;;
    *" start-namesrv") "$INTEROP_DIR/rocketmq.sh" "$verb" "${side#rocketmq-}" "$dir" "$@" ;;
    *" start"*) "$INTEROP_DIR/rocketmq.sh" "$verb" "${side#rocketmq-}" "$dir" "$@" "${ROCKETMQ_FEATURES[@]}" ;;
    *) "$INTEROP_DIR/rocketmq.sh" "$verb" "$dir" "$@" ;;
  esac
}

# The shared target of the client programs, started once; exports NAMESRV_ADDR.
need_target() {
  if [ -n "$GIVEN_NAMESRV_ADDR" ]; then
    export NAMESRV_ADDR="$GIVEN_NAMESRV_ADDR"
    return
  fi
  if [ -z "${SHARED_DIR:-}" ]; then
    free_ports
    SHARED_DIR="$WORK/target"
    SHARED_NAMESRV_ADDR="127.0.0.1:$NSPORT"
    TARGET_DIRS+=("$TARGET $SHARED_DIR")
    if ! control "$TARGET" start "$SHARED_DIR" "$NSPORT" "$PORT"; then
      SHARED_DIR=
      FAILED=$((FAILED + 1))
      echo "FAIL: $TARGET could not be started"
      return 1
    fi
  fi
  export NAMESRV_ADDR="$SHARED_NAMESRV_ADDR"
}

# Targets of a program's own: remembered so that they are stopped whatever happens.
remember_target() { TARGET_DIRS+=("$1 $2"); }

# stop_target SIDE DIR: fails when it did not end well.
stop_target() { control "$1" stop "$2"; }

stop_all_targets() {
  local entry failed=0
  for entry in "${TARGET_DIRS[@]}"; do
    # shellcheck disable=SC2086  # a pair of words
    stop_target $entry || failed=1
  done
  TARGET_DIRS=()
  return $failed
}
