#!/usr/bin/env bash
# Runs RocketMQ's own mqadmin of a Maven version:  mqadmin.sh VERSION SUBCOMMAND ARGS...
#   mqadmin.sh 4.9.8 clusterList -n 127.0.0.1:9876
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../interop/lib/classpath.sh"
[ $# -ge 2 ] || { sed -n '2,3s/^# \{0,1\}//p' "$0" >&2; exit 2; }
version="$1"
shift
state="$(mktemp -d)"
trap 'rm -rf "$state"' EXIT
mkdir -p "$state/conf"
for name in logback_tools rmq.tools.logback; do
  printf '<configuration><root level="OFF"/></configuration>\n' >"$state/conf/$name.xml"
done
cp="$(pom_classpath "$(dirname "${BASH_SOURCE[0]}")/mqadmin/pom.xml" "$version")"
java -Xmx256m -XX:+UseSerialGC "-Duser.home=$state" "-Drocketmq.home.dir=$state" -cp "$cp" org.apache.rocketmq.tools.command.MQAdminStartup "$@"
