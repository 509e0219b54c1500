#!/usr/bin/env bash
# Each plugin exports gantry_plugin_v1 and nothing else. Usage: check_exports.sh BUILD_DIR
set -euo pipefail
bad=0
for so in "$1"/plugins/*.so; do
  [ -e "$so" ] || { echo "exports: no plugins in $1/plugins"; exit 1; }
  symbols=$(nm -D --defined-only "$so" | awk '{print $3}' | tr '\n' ' ')
  if [ "$symbols" != "gantry_plugin_v1 " ]; then
    echo "exports: $so defines: $symbols(wanted: gantry_plugin_v1)"
    bad=1
  fi
done
[ "$bad" -eq 0 ] && echo "exports: one symbol per plugin"
exit "$bad"
