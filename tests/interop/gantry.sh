#!/usr/bin/env bash
# Starts and stops Gantry with the verbs of rocketmq.sh, with its whole state below one folder.
#
#   gantry.sh start BINARY DIR NSPORT BROKERPORT [KEY=VALUE ...]      name server + broker in one process
#   gantry.sh start-namesrv BINARY DIR NSPORT [KEY=VALUE ...]         name server alone
#   gantry.sh start-broker BINARY DIR NAMESRV_ADDR BROKERPORT [KEY=VALUE ...]
#   gantry.sh stop DIR | stop-broker DIR [SIGNAL] | stop-namesrv DIR [SIGNAL]
#
# KEY=VALUE lines, with the value as in TOML, go into every [[protocol]] section (tls_cert="/x/cert.pem", ...), with
# KEY written broker:KEY only into the broker's. The broker takes BROKERPORT and BROKERPORT-2 (VIP). start returns when Gantry says it is ready and is registered; stop fails when Gantry
# did not drain and exit with 0 on SIGTERM. Process ids are in DIR/*.pid, output in DIR/*.out. Starting again in the
# same DIR goes on with its data. Environment: GANTRY_ACK (acknowledgement level, default durable), GANTRY_BROKER
# (lines for the section [broker]), GANTRY_AUTH (lines for [auth]; empty: none), GANTRY_NAME (the broker's name, default broker-a).
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib/process.sh"

usage() { sed -n '2,15s/^# \{0,1\}//p' "$0" >&2; exit 2; }

common() { # DATA_DIR
  cat <<TOML
[broker]
cluster = "DefaultCluster"
name = "${GANTRY_NAME:-broker-a}"
data_dir = "$1"
${GANTRY_BROKER:-}
TOML
  [ -z "${GANTRY_AUTH:-}" ] || printf '\n[auth]\n%s\n' "$GANTRY_AUTH"
}

broker() { # NAMESRV_ADDR PORT [KEY=VALUE ...]
  cat <<TOML

[store]
plugin = "store-commitlog"
ack = "${GANTRY_ACK:-durable}"

[[protocol]]
plugin = "protocol-remoting"
component = "remoting"
listen = "127.0.0.1:$2"
advertise = "127.0.0.1:$2"
nameservers = ["$1"]
TOML
  extra broker "${@:3}"
}

namesrv() { # PORT [KEY=VALUE ...]
  cat <<TOML

[[protocol]]
plugin = "protocol-remoting"
component = "nameserver"
listen = "127.0.0.1:$1"
TOML
  extra namesrv "${@:2}"
}

extra() { # SECTION [KEY=VALUE ...]
  local pair key
  for pair in "${@:2}"; do
    key="${pair%%=*}"
    case "$key" in
      "$1":*) key="${key#*:}" ;;
      *:*) continue ;;
    esac
    printf '%s = %s\n' "$key" "${pair#*=}"
  done
}

launch() { # NAME BINARY DIR, the configuration comes on standard input
  cat >"$3/$1.toml"
  start_process "$3" "$1" ready "$2" run -c "$3/$1.toml"
}

# Gantry says it is ready after 2 s at the latest; on a busy machine its broker may still be on its way to the name server then, and clients find no route.
await_registration() { # DIR
  local i
  for ((i = 0; i < 300; i++)); do
    ! grep -q 'registered at name server' "$1/broker.out" || return 0
    sleep 0.1
  done
  echo "gantry.sh: the broker in $1 did not register at its name server within 30 s" >&2
  return 1
}

[ $# -ge 2 ] || usage
command="$1"
shift
case "$command" in
  start | start-namesrv | start-broker)
    [ $# -ge 3 ] || usage
    binary="$1" dir="$2"
    shift 2
    mkdir -p "$dir"
    dir="$(cd "$dir" && pwd)"
    ;;
esac
case "$command" in
  start)
    nsport="$1" port="$2"
    { common "$dir/data"; namesrv "$nsport" "${@:3}"; broker "127.0.0.1:$nsport" "$port" "${@:3}"; } | launch broker "$binary" "$dir"
    await_registration "$dir"
    ;;
  start-namesrv) { common "$dir/data-namesrv"; namesrv "$@"; } | launch namesrv "$binary" "$dir" ;;
  start-broker)
    { common "$dir/data"; broker "$@"; } | launch broker "$binary" "$dir"
    await_registration "$dir"
    ;;
  stop)
    failed=0
    stop_process "$1" broker || failed=1
    stop_process "$1" namesrv || failed=1
    exit $failed
    ;;
  stop-broker) stop_process "$1" broker "${2:-TERM}" ;;
  stop-namesrv) stop_process "$1" namesrv "${2:-TERM}" ;;
  *) usage ;;
esac
