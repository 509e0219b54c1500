# Sourced by run.sh: builds and runs each client program. Uses WORK, run_program and what targets.sh defines.

CLIENT_4=4.9.8
CLIENT_5=5.5.0
CLIENT_3=3.5.8
JVM_FLAGS=(-Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xss512k -XX:-UsePerfData
  -Dcom.rocketmq.remoting.client.connect.timeout=10000)

# compile_java NAME CLASSPATH FILE...: compiles once per content of sources and class path; prints the classes' folder.
compile_java() {
  local name="$1" cp="$2" key out
  shift 2
  key="$({ cat "$@"; echo "$cp"; } | sha256sum | cut -c1-12)"
  out="$BUILD_DIR/classes/$name-$key"
  mkdir -p "$BUILD_DIR/classes"
  locked "$out.lock" run_javac "$name" "$out" "$cp" "$@" && echo "$out"
}

run_javac() { # NAME FOLDER CLASSPATH FILE...
  local name="$1" out="$2" cp="$3"
  shift 3
  [ ! -d "$out" ] || return 0
  echo "compiling $name ..." >&2
  rm -rf "$out.new"
  mkdir -p "$out.new"
  javac -nowarn -Xlint:none -proc:none -d "$out.new" -cp "$cp" "$@" 2>"$out.log" || { cat "$out.log" >&2; return 1; }
  mv "$out.new" "$out"
}

# java_client VERSION: sets CLASSPATH_ARG for the suite compiled against that client version.
java_client() {
  local version="$1" cp classes common="$INTEROP_DIR/java/common/org/gantry/interop" base
  case "$version" in
    3.*)
      cp="$(pom_classpath "$INTEROP_DIR/java/client3/pom.xml" "$version")" || return 1
      classes="$(compile_java "client-$version" "$cp" "$common"/*.java "$INTEROP_DIR"/java/client3/src/org/gantry/interop/*.java)" || return 1
      ;;
    *)
      base="$INTEROP_DIR/java/client"
      cp="$(pom_classpath "$base/pom.xml" "$version")" || return 1
      classes="$(compile_java "client-$version" "$cp" "$common"/*.java "$INTEROP_DIR"/java/acl/org/gantry/interop/*.java "$base"/src/org/gantry/interop/*.java \
        "$base/src-${version%%.*}x"/org/gantry/interop/*.java)" || return 1
      ;;
  esac
  CLASSPATH_ARG="$classes:$cp"
}

# run_java NAME VERSION [JVM OPTION...]: one JVM with all selected cases.
run_java() {
  local name="$1" version="$2"
  shift 2
  java_client "$version" && need_home || { run_program "$name" false; return; }
  run_program "$name" java "${JVM_FLAGS[@]}" "$@" "-Duser.home=$WORK/home" -Drocketmq.client.logLevel=WARN \
    -cp "$CLASSPATH_ARG" org.gantry.interop.Main
}

need_home() { mkdir -p "$WORK/home"; }

run_java_4_9_8() { need_target && run_java java-4.9.8 "$CLIENT_4"; }
run_java_5x() {
  need_target || return
  # A 5.x client's lite pull has a request code of its own, which RocketMQ 4 does not know.
  case "$TARGET" in rocketmq-4*) local -x INTEROP_NOT_YET="${INTEROP_NOT_YET:+$INTEROP_NOT_YET|}lite_pull_.*|filter_sql_lite_pull" ;; esac
  run_java java-5x "$CLIENT_5"
}
run_java_3x() { need_target && run_java java-3x "$CLIENT_3"; }

GO_CLIENT="$BUILD_DIR/go-client"

build_go() {
  mkdir -p "$BUILD_DIR"
  (cd "$INTEROP_DIR/go" && GOFLAGS=-mod=mod go build -o "$GO_CLIENT" .)
}

run_go() {
  need_target && need_home || return
  if ! build_go 2>"$WORK/go-build.log"; then
    cat "$WORK/go-build.log"
    run_program go false
    return
  fi
  run_program go env "HOME=$WORK/home" "$GO_CLIENT"
}

# The C++ library, through its C interface. Where it cannot be had all of its cases are skipped, not failed.
run_cpp() {
  need_target && need_home || return
  mkdir -p "$WORK/cpp-logs"
  local rc=0
  cpp_library && { compile_cpp || rc=$?; }
  if [ -n "$CPP_MISSING" ]; then
    run_program cpp printf 'SKIP cpp: %s\n0 passed, 0 failed, 1 skipped\n' "$CPP_MISSING"
  elif [ $rc -ne 0 ]; then
    run_program cpp false
  else
    run_program cpp env "HOME=$WORK/home" "INTEROP_CPP_LOGS=$WORK/cpp-logs" "$CPP_PROGRAM"
  fi
}

# RocketMQ's own mqadmin of both lines, its commands one after the other in one JVM; some leave files where they are started.
run_mqadmin_4_9_8() { need_target && need_home && run_mqadmin_version "$CLIENT_4"; }

run_mqadmin_5x() {
  # RocketMQ 4 does not have what a 5.x mqadmin asks for.
  case "$TARGET" in rocketmq-4*) echo "== mqadmin-5x left out: $TARGET does not have what it asks for" ;; *) need_target && need_home && run_mqadmin_version "$CLIENT_5" ;; esac
}

# mqadmin_classes VERSION: sets CLASSPATH_ARG.
mqadmin_classes() {
  local cp classes
  cp="$(pom_classpath "$REPO_DIR/tests/nameserver/mqadmin/pom.xml" "$1")" &&
    classes="$(compile_java "mqadmin-$1" "$cp" "$INTEROP_DIR"/java/common/org/gantry/interop/*.java "$INTEROP_DIR"/java/acl/org/gantry/interop/*.java "$INTEROP_DIR"/java/mqadmin/src/org/gantry/interop/*.java)" || return 1
  CLASSPATH_ARG="$classes:$cp"
}

run_mqadmin_version() { # VERSION
  local version="$1" name="mqadmin-$1" log
  mkdir -p "$WORK/$name/conf"
  for log in logback_tools rmq.tools.logback; do
    printf '<configuration><root level="OFF"/></configuration>\n' >"$WORK/$name/conf/$log.xml"
  done
  mqadmin_classes "$version" || { run_program "$name" false; return; }
  INTEROP_WIDTH=1 INTEROP_MQADMIN_TABLE="$REPO_DIR/docs/operations/mqadmin.md" run_program "$name" \
    env -C "$WORK/$name" java "${JVM_FLAGS[@]}" "-Duser.home=$WORK/home" "-Drocketmq.home.dir=$WORK/$name" -Drocketmq.client.logLevel=WARN -cp "$CLASSPATH_ARG" org.gantry.interop.Main
}

# The header's binary form, chosen as users choose it; a few cases cover every kind of request.
run_binary() {
  need_target || return
  local only='send_(sync|async|oneway|batch|too_large)|push_(clustering|tags|restart_continues)|pull_statuses|content_properties_utf8|offsets_min_max_by_time|orderly_suspend.*'
  INTEROP_ONLY="${INTEROP_ONLY:-$only}" ROCKETMQ_SERIALIZE_TYPE=ROCKETMQ run_java binary "$CLIENT_4"
  INTEROP_ONLY="${INTEROP_ONLY:-$only}" ROCKETMQ_SERIALIZE_TYPE=ROCKETMQ run_java binary-5x "$CLIENT_5"
}

run_quickstart() {
  need_target && need_home || return
  run_program quickstart quickstart_cases
}

# The tutorials' programs: our own in their form with the 4.x client, and the published ones of 5.x.
quickstart_cases() {
  local passed=0 failed=0 cp
  if quickstart_classes; then
    quickstart_pair "quickstart_$CLIENT_4" "$CLASSPATH_ARG" "" && passed=$((passed + 1)) || failed=$((failed + 1))
  else
    failed=$((failed + 1))
  fi
  if cp="$(pom_classpath "$INTEROP_DIR/java/quickstart/pom.xml" "$CLIENT_5")"; then
    quickstart_pair "quickstart_$CLIENT_5" "$cp" org.apache.rocketmq.example.quickstart. && passed=$((passed + 1)) || failed=$((failed + 1))
  else
    failed=$((failed + 1))
  fi
  echo "$passed passed, $failed failed, 0 skipped"
}

quickstart_classes() { # sets CLASSPATH_ARG for the tutorial's programs with the 4.x client
  local cp classes
  java_client "$CLIENT_4" && cp="${CLASSPATH_ARG#*:}" &&
    classes="$(compile_java "quickstart-$CLIENT_4" "$cp" "$INTEROP_DIR"/java/quickstart/src/*.java)" && CLASSPATH_ARG="$classes:$cp"
}

# quickstart_pair NAME CLASSPATH PACKAGE: producer, then consumer, each with nothing but NAMESRV_ADDR in its environment.
quickstart_pair() {
  local name="$1" dir="$WORK/$1" begin=$SECONDS deadline verdict rc
  local java=(java "${JVM_FLAGS[@]}" "-Duser.home=$WORK/home" -cp "$2")
  mkdir -p "$dir"
  if ! timeout --foreground 120 "${java[@]}" "$3Producer" >"$dir/producer.out" 2>"$dir/producer.err"; then
    echo "FAIL $name: the producer did not end well: $(tail -n 1 "$dir/producer.err")"
    return 1
  fi
  start_process "$dir" consumer 'Consumer Started' "${java[@]}" "$3Consumer" || { echo "FAIL $name: the consumer did not start"; return 1; }
  deadline=$((SECONDS + 180))
  while verdict="$(python3 "$INTEROP_DIR/lib/quickstart_check.py" "$dir/producer.out" "$dir/consumer.out")"; rc=$?; [ $rc -eq 1 ] && [ $SECONDS -lt $deadline ]; do
    sleep 0.3
  done
  stop_process "$dir" consumer
  if [ $rc -ne 0 ]; then
    echo "FAIL $name: $verdict"
    return 1
  fi
  echo "PASS $name ($((SECONDS - begin)) s)"
}

needs_own_target() { # NAME: whether a target of the program's own can be started
  [ -z "$GIVEN_NAMESRV_ADDR" ] && return
  echo "== $1 left out: it starts and stops brokers itself, and NAMESRV_ADDR names a running system"
  return 1
}

# A broker that dies, with the name server alive: data and routes.
run_death() {
  needs_own_target death || return 0
  death_pair death "$TARGET" "$TARGET" death_
  death_pair death-5x "$TARGET" "$TARGET" 'death_(loses|keeps)' "$CLIENT_5"
}

# The target's broker at RocketMQ's name server, and RocketMQ's broker at the target's name server.
run_cross() {
  needs_own_target cross || return 0
  local other="rocketmq-$NEWEST_4"
  death_pair "cross-$TARGET-broker" "$other" "$TARGET" 'send_sync|push_clustering|death_'
  death_pair "cross-$TARGET-nameserver" "$TARGET" "$other" 'send_sync|push_clustering|death_removes'
}

# death_pair NAME NAMESERVER_SIDE BROKER_SIDE CASES [CLIENT_VERSION]: runs cases (prefixes) against a name server and a broker in
# processes of their own, which the cases may kill and start again.
death_pair() {
  local name="$1" dir="$WORK/$1" ns_side="$2" broker_side="$3" ns
  free_ports
  ns="127.0.0.1:$NSPORT"
  remember_target "$ns_side" "$dir/ns"
  remember_target "$broker_side" "$dir/broker"
  control "$ns_side" start-namesrv "$dir/ns" "$NSPORT" && control "$broker_side" start-broker "$dir/broker" "$ns" "$PORT" ||
    { run_program "$name" false; return; }
  NAMESRV_ADDR="$ns" INTEROP_BROKER_PID_FILE="$dir/broker/broker.pid" \
    INTEROP_BROKER_START="$(declare -p INTEROP_DIR GANTRY_BINARY ROCKETMQ_FEATURES 2>/dev/null | tr '\n' ';') $(declare -f control); control $broker_side start-broker '$dir/broker' $ns $PORT" \
    INTEROP_ONLY="${INTEROP_ONLY:-($4).*}" run_java "$name" "${5:-$CLIENT_4}"
  # The last case may have killed the broker.
  control "$broker_side" stop-broker "$dir/broker" KILL
}

# A broker whose disk loses its power while a Java client sends.
run_power() {
  needs_own_target power || return 0
  local why="" program="${POWERCUT_BINARY:-$REPO_DIR/build/release/tests/powercut/powercut}"
  if [ "$TARGET" != gantry ]; then
    why="$TARGET is not what is tested here"
  elif [ ! -x "$program" ]; then
    why="$program is not there (it needs libfuse3-dev when the tests are built)"
  else
    mkdir -p "$WORK/power/disk"
    start_process "$WORK/power" disk ready "$program" "$WORK/power/disk" "$WORK/power/disk.socket" --flush-us=400 "--log=$WORK/power/cuts.log" 2>/dev/null ||
      why="no file system can be mounted here: $(tail -n 1 "$WORK/power/disk.out")"
  fi
  if [ -n "$why" ]; then
    run_program power printf 'SKIP power: %s\n0 passed, 0 failed, 1 skipped\n' "$why"
    return
  fi
  power_pair power "$CLIENT_4"
  power_pair power-5x "$CLIENT_5"
  stop_process "$WORK/power" disk || FAILED=$((FAILED + 1))
}

# power_pair NAME CLIENT_VERSION: name server and broker in processes of their own, the broker's data on the disk. The cut comes within 300 changes.
power_pair() {
  local name="$1" dir="$WORK/$1" disk="$WORK/power/disk" tell="python3 $REPO_DIR/tests/powercut/power_disk.py $WORK/power/disk.socket" ns
  local -x GANTRY_NAME="$1"
  free_ports
  ns="127.0.0.1:$NSPORT"
  mkdir -p "$dir/broker"
  find "$disk" -mindepth 1 -delete
  ln -s "$disk" "$dir/broker/data"
  remember_target gantry "$dir/ns"
  remember_target gantry "$dir/broker"
  control gantry start-namesrv "$dir/ns" "$NSPORT" && control gantry start-broker "$dir/broker" "$ns" "$PORT" || { run_program "$name" false; return; }
  NAMESRV_ADDR="$ns" INTEROP_ONLY="${INTEROP_ONLY:-power_.*}" \
    INTEROP_POWER_CUT="$tell cut \$RANDOM \$((RANDOM % 300 + 1)) 2000 && '$INTEROP_DIR/gantry.sh' stop-broker '$dir/broker' KILL" \
    INTEROP_BROKER_START="$tell restore && GANTRY_NAME=$name '$INTEROP_DIR/gantry.sh' start-broker '$GANTRY_BINARY' '$dir/broker' $ns $PORT" \
    run_java "$name" "$2"
  control gantry stop-broker "$dir/broker"
}

# A broker whose name says its machine room, as the strategy for machine rooms wants it.
run_room() {
  needs_own_target room || return 0
  local dir="$WORK/room" name='east@broker-a'
  free_ports
  remember_target "$TARGET" "$dir"
  if [ "$TARGET" = gantry ]; then
    GANTRY_NAME="$name" control gantry start "$dir" "$NSPORT" "$PORT"
  else
    control "$TARGET" start "$dir" "$NSPORT" "$PORT" "brokerName=$name"
  fi || { run_program room false; return; }
  export NAMESRV_ADDR="127.0.0.1:$NSPORT"
  INTEROP_ROOM=east INTEROP_ONLY=allocate_by_machine_room run_java room "$CLIENT_4"
  INTEROP_ROOM=east INTEROP_ONLY=allocate_by_machine_room run_java room-5x "$CLIENT_5"
}

# A target with access control: everything that is asked is signed, as a user who may do it, and refused where he may not.
run_acl() {
  needs_own_target acl || return 0
  local dir="$WORK/acl" only='acl_.*|send_(sync|async|oneway|batch)|push_(clustering|broadcasting|tags|restart_continues)|pull_statuses|pull_waits.*|lite_pull_.*|orderly_suspend.*|retry_later_.*|transaction_commit.*|query_by_.*|view_by_.*|pop_(ack|batch_ack|push_consumer.*)|delay_level|trace_.*|old_.*|go_.*|cpp_.*|mqadmin_.*'
  acl_environment
  need_acl_target "$dir" || { run_program acl false; return; }
  INTEROP_ONLY="${INTEROP_ONLY:-$only}" run_java acl "$CLIENT_4"
  INTEROP_ONLY="${INTEROP_ONLY:-$only}" run_java acl-5x "$CLIENT_5"
  INTEROP_ONLY="${INTEROP_ONLY:-$only}" run_cpp
  # The Go library's admin client, by which its cases look at routes, signs nothing but its request for all groups: it makes and deletes no topics here.
  need_acl_target "$dir/go" 'namesrv:auth="none"' || { run_program go false; return; }
  INTEROP_SKIP="${INTEROP_SKIP:+$INTEROP_SKIP|}go_admin_.*" INTEROP_ONLY="${INTEROP_ONLY:-$only}" run_go
}

# Users of the cases: one who may do everything, and one who may only send to topics acl-allowed*.
acl_environment() {
  export INTEROP_ACCESS_KEY=interop-admin INTEROP_SECRET_KEY=secret-of-the-admin INTEROP_LITTLE_KEY=interop-little INTEROP_LITTLE_SECRET=secret-of-little
}

need_acl_target() { # DIR [KEY=VALUE ...]
  local dir="$1"
  mkdir -p "$dir/target/home/conf"
  free_ports
  remember_target "$TARGET" "$dir/target"
  cat >"$dir/plain_acl.yml" <<YML
accounts:
  - accessKey: $INTEROP_ACCESS_KEY
    secretKey: $INTEROP_SECRET_KEY
    admin: true
  - accessKey: $INTEROP_LITTLE_KEY
    secretKey: $INTEROP_LITTLE_SECRET
    defaultTopicPerm: DENY
    defaultGroupPerm: DENY
    topicPerms: [acl-allowed=PUB, acl-other=DENY]
YML
  if [ "$TARGET" = gantry ]; then
    GANTRY_AUTH="file = \"$dir/plain_acl.yml\"" control gantry start "$dir/target" "$NSPORT" "$PORT" "${@:2}"
  else
    cp "$dir/plain_acl.yml" "$dir/target/home/conf/plain_acl.yml"
    control "$TARGET" start "$dir/target" "$NSPORT" "$PORT" aclEnable=true
  fi || return 1
  # What runs on this target is not to start another.
  SHARED_DIR="$dir/target"
  SHARED_NAMESRV_ADDR="127.0.0.1:$NSPORT"
  export NAMESRV_ADDR="$SHARED_NAMESRV_ADDR" INTEROP_PORT="$PORT"
}

# Clients with tls.enable=true that trust only the certificate's own authority. Plain clients go on beside them unless
# the broker requires TLS.
run_tls() {
  needs_own_target tls || return 0
  local dir="$WORK/tls" only='send_sync|send_batch|send_body_sizes|push_clustering|send_vip_channel'
  mkdir -p "$dir"
  tls_certificate "$dir" || { run_program tls false; return; }
  free_ports
  remember_target "$TARGET" "$dir/target"
  if [ "$TARGET" = gantry ]; then
    control gantry start "$dir/target" "$NSPORT" "$PORT" "tls_cert=\"$dir/server.pem\"" "tls_key=\"$dir/server.key\""
  else
    RMQ_JVM_OPTS="-Dtls.test.mode.enable=false -Dtls.server.certPath=$dir/server.pem -Dtls.server.keyPath=$dir/server.key" \
      control "$TARGET" start "$dir/target" "$NSPORT" "$PORT"
  fi || { run_program tls false; return; }
  export NAMESRV_ADDR="127.0.0.1:$NSPORT"
  local tls=(-Dtls.enable=true -Dtls.test.mode.enable=false -Dtls.client.authServer=true)
  INTEROP_ONLY="${INTEROP_ONLY:-$only}" run_java tls "$CLIENT_4" "${tls[@]}" "-Dtls.client.trustCertPath=$dir/ca.pem"
  INTEROP_ONLY="${INTEROP_ONLY:-$only}" run_java tls-5x "$CLIENT_5" "${tls[@]}" "-Dtls.client.trustCertPath=$dir/ca.pem"
  INTEROP_ONLY="${INTEROP_ONLY:-send_sync}" run_java tls-plain-beside "$CLIENT_4"
  INTEROP_ONLY=tls_mismatch_sends_nothing INTEROP_EXPECT_REFUSAL=1 \
    run_java tls-untrusted "$CLIENT_4" "${tls[@]}" "-Dtls.client.trustCertPath=$dir/other-ca.pem"
  if [ "$TARGET" = gantry ]; then
    stop_target gantry "$dir/target" || { run_program tls-required false; return; }
    control gantry start "$dir/target" "$NSPORT" "$PORT" "tls_cert=\"$dir/server.pem\"" "tls_key=\"$dir/server.key\"" \
      'broker:tls="required"' || { run_program tls-required false; return; }
    INTEROP_ONLY="${INTEROP_ONLY:-send_sync}" run_java tls-required "$CLIENT_4" "${tls[@]}" "-Dtls.client.trustCertPath=$dir/ca.pem"
    INTEROP_ONLY=tls_mismatch_sends_nothing INTEROP_EXPECT_REFUSAL=1 run_java tls-plain-refused "$CLIENT_4"
  fi
}

# tls_certificate DIR: an authority with a server certificate, and another authority that signed nothing.
tls_certificate() {
  local name
  for name in ca other-ca; do
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$name" -keyout "$1/$name.key" -out "$1/$name.pem" 2>>"$1/openssl.log" || return 1
  done
  openssl req -newkey rsa:2048 -nodes -subj /CN=127.0.0.1 -keyout "$1/server.key" -out "$1/server.csr" 2>>"$1/openssl.log" &&
    openssl x509 -req -days 2 -in "$1/server.csr" -CA "$1/ca.pem" -CAkey "$1/ca.key" -CAcreateserial \
      -extfile <(printf 'subjectAltName=IP:127.0.0.1,DNS:localhost') -out "$1/server.pem" 2>>"$1/openssl.log"
}

# The same requests to Gantry and to both RocketMQ versions; every difference must be listed.
run_side_by_side() {
  needs_own_target side-by-side || return 0
  local dir="$WORK/side-by-side" side sides=()
  for side in gantry "rocketmq-$NEWEST_4" "rocketmq-$NEWEST_5"; do
    free_ports
    remember_target "$side" "$dir/$side"
    control "$side" start "$dir/$side" "$NSPORT" "$PORT" || { run_program side-by-side false; return; }
    sides+=("${side#rocketmq-}=127.0.0.1:$PORT,127.0.0.1:$NSPORT")
  done
  SIDE_BY_SIDE_RECORDS="$WORK/side-by-side.json" run_program side-by-side python3 -B "$INTEROP_DIR/side_by_side/main.py" "${sides[@]}"
}

# prepare CLIENT: fetches and compiles what the client's program needs, so that its run begins at once.
prepare() {
  case "$1" in
    java-4.9.8) java_client "$CLIENT_4" ;;
    java-5x) java_client "$CLIENT_5" ;;
    java-3x) java_client "$CLIENT_3" ;;
    go) build_go ;;
    cpp) cpp_library && compile_cpp || [ -n "$CPP_MISSING" ] ;;
    mqadmin-4.9.8) mqadmin_classes "$CLIENT_4" ;;
    mqadmin-5x) mqadmin_classes "$CLIENT_5" ;;
    quickstart) quickstart_classes && pom_classpath "$INTEROP_DIR/java/quickstart/pom.xml" "$CLIENT_5" >/dev/null ;;
    binary | tls | room | death | power | acl) java_client "$CLIENT_4" && java_client "$CLIENT_5" ;;
    cross) java_client "$CLIENT_4" && "$INTEROP_DIR/rocketmq.sh" classpath "$NEWEST_4" >/dev/null ;;
    side-by-side) "$INTEROP_DIR/rocketmq.sh" classpath "$NEWEST_4" >/dev/null && "$INTEROP_DIR/rocketmq.sh" classpath "$NEWEST_5" >/dev/null ;;
  esac
}
