#!/bin/sh
# Builds the fuzz targets with clang and runs each for SECONDS from its seeds in corpus/. Exits non-zero when one finds something; the
# input that does it is kept in BUILD_DIR/findings. fuzz_store opens a store for each input, a dozen a second: it goes over its seeds only, unless it is named.
#   usage: run.sh SECONDS [BUILD_DIR [TARGET...]]
set -eu

seconds=${1:?usage: run.sh SECONDS [BUILD_DIR [TARGET...]]}
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=${2:-$root/build/fuzz}
[ $# -ge 2 ] && shift 2 || shift 1
mkdir -p "$build/obj" "$build/findings"
build=$(cd "$build" && pwd)

named=$*
export root build
plugin=$root/plugins/protocol-remoting
targets=${*:-$(cd "$here" && ls fuzz_*.cpp | sed 's/\.cpp$//')}
sources=$(ls "$plugin"/codec/*.cpp "$plugin"/json/*.cpp "$plugin"/remoting/*.cpp "$plugin"/registration/*.cpp "$plugin"/nameserver/*.cpp "$plugin"/access/*.cpp \
  "$root"/plugins/filter-sql92/[!e]*.cpp "$root"/plugins/filter-sql92/eval.cpp "$root"/plugins/filter-lua/engine.cpp "$root"/plugins/filter-lua/pattern.cpp "$root"/plugins/filter-lua/sandbox.cpp "$root"/plugins/filter-lua/*_library.cpp "$root"/plugins/store-commitlog/*.cpp \
  "$root"/tests/protocol-remoting/fake_*.cpp "$root"/kernel/kit/fake_*.cpp "$root"/kernel/kit/shard_loop.cpp "$root"/kernel/kit/test_util.cpp \
  "$root"/tests/support/store_instance.cpp "$root"/tests/support/store_records.cpp)

# One object per source, made again when it or any header is newer.
cat >"$build/compile.sh" <<'COMPILE'
#!/bin/sh
set -eu
object=$build/obj/$(echo "${1#"$root"/}" | tr '/' '_').o
if [ -f "$object" ] && [ -z "$(find "$1" "$root/plugins/protocol-remoting" "$root/plugins/filter-sql92" "$root/plugins/filter-lua" "$root/plugins/store-commitlog" "$root/tests/protocol-remoting" "$root/tests/fuzz" "$root/tests/support" "$root/kernel/kit" \
  "$root/sdk" \( -name '*.h' -o -name '*.hpp' -o -name '*.inc' -o -path "$1" \) -newer "$object" -print -quit)" ]; then
  exit 0
fi
$(command -v ccache || true) clang++ -std=c++20 -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined \
  -fno-sanitize-recover=undefined -I"$root" -I"$root/sdk" -I"$root/tests" -I"$root/plugins/protocol-remoting" -I"$root/plugins/filter-sql92" -I"$root/plugins/filter-lua" -I"$root/plugins/store-commitlog" $(pkg-config --cflags lua5.4) -c "$1" -o "$object.new"
mv "$object.new" "$object"
COMPILE
chmod +x "$build/compile.sh"
for target in $targets; do sources="$sources $here/$target.cpp"; done
# shellcheck disable=SC2086
printf '%s\n' $sources | xargs -n 1 -P "$(nproc)" "$build/compile.sh"

objects=$(for source in $sources; do
  case $source in "$here"/*) ;; *) echo "$build/obj/$(echo "${source#"$root"/}" | tr '/' '_').o" ;; esac
done)
status=0
for target in $targets; do
  # shellcheck disable=SC2086
  clang++ -fsanitize=fuzzer,address,undefined "$build/obj/tests_fuzz_$target.cpp.o" $objects -lisal -luring -lpthread $(pkg-config --libs lua5.4) -o "$build/$target"
  mkdir -p "$build/corpus/$target"
  limit=-max_total_time=$seconds
  if [ "$target" = fuzz_store ] && [ -z "$named" ]; then limit=-runs=0; fi
  echo "== $target, $limit"
  # The limit ends a run that hangs outside of an input, where -timeout does not look; reading a large corpus takes its time too.
  if ! timeout $((seconds * 3 + 600)) "$build/$target" "$limit" -timeout=10 -rss_limit_mb=2048 -max_len=65000 -print_final_stats=1 \
    -artifact_prefix="$build/findings/$target-" "$build/corpus/$target" "$here/corpus/$target" >"$build/$target.log" 2>&1; then
    status=1
    echo "$target found something:"
    tail -n 40 "$build/$target.log"
  else
    grep -E 'number_of_executed_units|new_units_added' "$build/$target.log"
  fi
done
exit $status
