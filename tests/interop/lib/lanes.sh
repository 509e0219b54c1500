# Sourced by run.sh: several client programs at a time. Uses WORK, PASSED, FAILED, SKIPPED and what targets.sh defines.

LANES=()

# run_lanes COUNT CLIENT...: runs the clients, COUNT at a time, each in a process group, a folder (WORK/CLIENT) and against a target of its own;
# shows their lines with the client's name before them and adds up their results.
run_lanes() {
  local count="$1" client passed failed skipped number=0
  shift
  set -m # a process group for each
  for client in "$@"; do
    while [ "$(jobs -rp | wc -l)" -ge "$count" ]; do wait -n; done
    mkdir -p "$WORK/$client"
    (INTEROP_LANE="$number/$#" lane "$client" 2>&1 | sed -u "s/^/$client: /") &
    LANES+=($!)
    number=$((number + 1))
  done
  wait
  set +m
  LANES=()
  for client in "$@"; do
    if read -r passed failed skipped 2>/dev/null <"$WORK/$client/result"; then
      PASSED=$((PASSED + passed))
      FAILED=$((FAILED + failed))
      SKIPPED=$((SKIPPED + skipped))
    else
      FAILED=$((FAILED + 1))
      echo "FAIL $client: ended without a result"
    fi
  done
}

# One client with everything that belongs to it, in a process of its own.
lane() {
  local client="$1" started_s=$SECONDS
  export INTEROP_LANE
  WORK="$WORK/$client"
  trap 'exit 143' INT TERM
  trap stop_all_targets EXIT
  "run_${client//[-.]/_}"
  stop_all_targets || FAILED=$((FAILED + 1))
  trap - EXIT
  echo "$PASSED passed, $FAILED failed, $SKIPPED skipped in $((SECONDS - started_s)) s"
  echo "$PASSED $FAILED $SKIPPED" >"$WORK/result"
}

# Ends lanes that still run, when the whole run is ended.
end_lanes() {
  local group
  for group in "${LANES[@]}"; do kill -TERM -- "-$group" 2>/dev/null; done
  [ ${#LANES[@]} -eq 0 ] || wait
  LANES=()
}
