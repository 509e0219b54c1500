# Sourced by the scripts beside it. A started process is DIR/NAME.pid (its id), DIR/NAME.out (what it printed) and,
# once it has ended, DIR/NAME.rc (its exit code).

START_DEADLINE_S="${START_DEADLINE_S:-120}"
STOP_DEADLINE_S="${STOP_DEADLINE_S:-30}"

# start_process DIR NAME READY COMMAND...: starts it in the background and returns when its output has a line with READY.
# With INTEROP_OWNER_PID in the environment it is killed when that process is gone, so that nothing outlives a killed run.
start_process() {
  local dir="$1" name="$2" ready="$3"
  shift 3
  rm -f "$dir/$name.rc" "$dir/$name.pid"
  : >"$dir/$name.out"
  setsid bash -c 'dir="$1" name="$2"; shift 2
    "$@" >"$dir/$name.out" 2>&1 </dev/null &
    child=$!
    echo $child >"$dir/$name.pid.new"; mv "$dir/$name.pid.new" "$dir/$name.pid"
    if [ -n "$INTEROP_OWNER_PID" ]; then
      (while kill -0 "$INTEROP_OWNER_PID" 2>/dev/null; do sleep 1; done; kill -KILL $child 2>/dev/null) &
      watcher=$!
    fi
    wait $child; echo $? >"$dir/$name.rc"
    [ -z "$INTEROP_OWNER_PID" ] || kill $watcher 2>/dev/null' start_process "$dir" "$name" "$@" >/dev/null 2>&1 &
  local deadline=$((SECONDS + START_DEADLINE_S))
  until grep -q -- "$ready" "$dir/$name.out"; do
    if [ -f "$dir/$name.rc" ] || [ $SECONDS -ge $deadline ]; then
      echo "$1 did not start; the end of its output ($dir/$name.out):" >&2
      tail -n 20 "$dir/$name.out" >&2
      stop_process "$dir" "$name" KILL >/dev/null 2>&1 || true
      return 1
    fi
    sleep 0.05
  done
}

# stop_process DIR NAME [SIGNAL]: ends it by its id, waits for it, and returns 1 when it had to be killed or its exit
# code is none that the signal explains (0, or 128 + signal). Nothing to stop is fine.
stop_process() {
  local dir="$1" name="$2" signal="${3:-TERM}" pid rc deadline
  [ -f "$dir/$name.pid" ] || return 0
  pid="$(cat "$dir/$name.pid")"
  [ -f "$dir/$name.rc" ] || kill "-$signal" "$pid" 2>/dev/null || true
  deadline=$((SECONDS + STOP_DEADLINE_S))
  until [ -f "$dir/$name.rc" ]; do
    if [ $SECONDS -ge $deadline ]; then
      echo "$name (process $pid) did not end $STOP_DEADLINE_S s after SIG$signal; killing it" >&2
      kill -KILL "$pid" 2>/dev/null || true
      deadline=$((SECONDS + STOP_DEADLINE_S))
      signal=TIMEOUT
    fi
    sleep 0.05
  done
  rm -f "$dir/$name.pid"
  rc="$(cat "$dir/$name.rc")"
  case "$signal $rc" in
    *" 0" | "TERM 143" | "KILL 137" | "INT 130") return 0 ;;
  esac
  echo "$name ended with exit code $rc; the end of its output ($dir/$name.out):" >&2
  tail -n 20 "$dir/$name.out" >&2
  return 1
}
