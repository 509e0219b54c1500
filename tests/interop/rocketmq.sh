#!/usr/bin/env bash
# Starts and stops a real RocketMQ name server and broker as plain Java processes on loopback ports, with their whole
# state below one folder. For comparisons and for checking that the suite's assertions are right.
#
#   rocketmq.sh start VERSION DIR NSPORT BROKERPORT [KEY=VALUE ...]     name server + broker
#   rocketmq.sh start-namesrv VERSION DIR NSPORT
#   rocketmq.sh start-broker VERSION DIR NAMESRV_ADDR BROKERPORT [KEY=VALUE ...]
#   rocketmq.sh stop DIR | stop-broker DIR [SIGNAL] | stop-namesrv DIR [SIGNAL]
#   rocketmq.sh classpath VERSION
#
# KEY=VALUE lines go into broker.conf. The broker takes BROKERPORT, BROKERPORT-2 (VIP) and BROKERPORT+1 (HA).
# VERSION is a Maven version (4.9.7, 5.5.0, ...). start returns when clients can connect; process ids are in
# DIR/*.pid, output in DIR/*.out. Environment: RMQ_NAMESRV_HEAP, RMQ_BROKER_HEAP (JVM sizes, defaults 128m, 512m),
# RMQ_JVM_OPTS (extra JVM options for both), INTEROP_BUILD_DIR (class path cache).
set -euo pipefail
STOP_DEADLINE_S="${STOP_DEADLINE_S:-90}" # 5.x takes its time
. "$(dirname "${BASH_SOURCE[0]}")/lib/classpath.sh"
. "$(dirname "${BASH_SOURCE[0]}")/lib/process.sh"

# What RocketMQ's own runbroker.sh opens for it on recent JDKs.
JVM_OPENS=(--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED --add-exports=java.base/sun.nio.ch=ALL-UNNAMED
  --add-opens=java.base/java.nio=ALL-UNNAMED --add-opens=java.base/sun.nio.ch=ALL-UNNAMED
  --add-opens=java.base/jdk.internal.ref=ALL-UNNAMED)

usage() { sed -n '2,16s/^# \{0,1\}//p' "$0" >&2; exit 2; }

write_home() { # DIR: a RocketMQ home with quiet logging under both the 4.x and the 5.x file names
  local home="$1/home" name
  mkdir -p "$home/conf"
  for name in logback_namesrv logback_broker rmq.namesrv.logback rmq.broker.logback; do
    cat >"$home/conf/$name.xml" <<XML
<configuration>
  <appender name="FILE" class="ch.qos.logback.core.FileAppender">
    <file>$1/$name.log</file>
    <encoder><pattern>%d %-5level %logger{20} - %msg%n</pattern></encoder>
  </appender>
  <root level="${RMQ_LOG_LEVEL:-WARN}"><appender-ref ref="FILE"/></root>
</configuration>
XML
  done
}

launch() { # NAME DIR VERSION HEAP MAIN ARGS...
  local name="$1" dir="$2" version="$3" heap="$4" main="$5" cp
  shift 5
  cp="$(pom_classpath "$INTEROP_DIR/java/server/pom.xml" "$version")"
  # shellcheck disable=SC2086  # RMQ_JVM_OPTS is a list of words
  start_process "$dir" "$name" 'boot success' \
    java "-Xmx$heap" "-Xms$heap" -XX:+UseSerialGC -XX:MaxDirectMemorySize=1g "${JVM_OPENS[@]}" ${RMQ_JVM_OPTS:-} \
    "-Duser.home=$dir" "-Drocketmq.home.dir=$dir/home" -cp "$cp" "$main" "$@"
}

start_namesrv() { # VERSION DIR PORT
  local version="$1" dir="$2" port="$3"
  mkdir -p "$dir"; dir="$(cd "$dir" && pwd)"
  write_home "$dir"
  printf 'bindAddress=127.0.0.1\nlistenPort=%s\nkvConfigPath=%s\nconfigStorePath=%s\n' \
    "$port" "$dir/namesrv/kvConfig.json" "$dir/namesrv/namesrv.properties" >"$dir/namesrv.conf"
  launch namesrv "$dir" "$version" "${RMQ_NAMESRV_HEAP:-128m}" org.apache.rocketmq.namesrv.NamesrvStartup -c "$dir/namesrv.conf"
}

start_broker() { # VERSION DIR NAMESRV_ADDR PORT [KEY=VALUE ...]
  local version="$1" dir="$2" namesrv="$3" port="$4"
  shift 4
  mkdir -p "$dir"; dir="$(cd "$dir" && pwd)"
  write_home "$dir"
  cat >"$dir/broker.conf" <<CONF
brokerClusterName=DefaultCluster
brokerName=broker-a
brokerId=0
brokerIP1=127.0.0.1
brokerIP2=127.0.0.1
bindAddress=127.0.0.1
namesrvAddr=$namesrv
listenPort=$port
haListenPort=$((port + 1))
storePathRootDir=$dir/store
storePathCommitLog=$dir/store/commitlog
mapedFileSizeCommitLog=268435456
mappedFileSizeCommitLog=268435456
enablePropertyFilter=true
waitTimeMillsInSendQueue=10000
CONF
  printf '%s\n' "$@" >>"$dir/broker.conf"
  launch broker "$dir" "$version" "${RMQ_BROKER_HEAP:-512m}" org.apache.rocketmq.broker.BrokerStartup -c "$dir/broker.conf"
}

[ $# -ge 2 ] || usage
command="$1"
shift
case "$command" in
  start)
    [ $# -ge 4 ] || usage
    version="$1" dir="$2" nsport="$3" port="$4"
    shift 4
    start_namesrv "$version" "$dir" "$nsport"
    start_broker "$version" "$dir" "127.0.0.1:$nsport" "$port" "$@" || { stop_process "$dir" namesrv; exit 1; }
    ;;
  start-namesrv) [ $# -eq 3 ] || usage; start_namesrv "$@" ;;
  start-broker) [ $# -ge 4 ] || usage; start_broker "$@" ;;
  stop) stop_process "$1" broker; stop_process "$1" namesrv ;;
  stop-broker) stop_process "$1" broker "${2:-TERM}" ;;
  stop-namesrv) stop_process "$1" namesrv "${2:-TERM}" ;;
  classpath) pom_classpath "$INTEROP_DIR/java/server/pom.xml" "$1" ;;
  *) usage ;;
esac
