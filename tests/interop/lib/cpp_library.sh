# Sourced by run.sh: where the C++ client's library comes from. Debian has none; version 2.1.0 is inside a Python package.

CPP_PACKAGE='rocketmq-python-cvs==2.1.0.3'
CPP_PACKAGE_SHA256=99e4ce8008554a74193a3ad94b60f939a4666c48ffabbf4c4417a109daf1419d
CPP_LIBRARY_SHA256=ed3fce39f2b926637637a2b8b9122799f207b0cdf98dbd9110505bf43170fa30

# cpp_library: sets CPP_LIBRARY to librocketmq.so, or CPP_MISSING to why there is none and returns 1. INTEROP_CPP_LIBRARY names another one.
# What was fetched once stays in BUILD_DIR.
cpp_library() {
  local dir="$BUILD_DIR/cpp-library"
  CPP_LIBRARY="${INTEROP_CPP_LIBRARY:-$dir/librocketmq.so}"
  CPP_MISSING=
  if [ -n "${INTEROP_CPP_LIBRARY:-}" ]; then
    [ -f "$CPP_LIBRARY" ] || { CPP_MISSING="INTEROP_CPP_LIBRARY=$CPP_LIBRARY is no file"; return 1; }
    return 0
  fi
  cpp_library_is "$CPP_LIBRARY" && return 0
  [ "$(uname -sm)" = "Linux x86_64" ] || { CPP_MISSING="the C++ client is only packaged for Linux on x86_64; set INTEROP_CPP_LIBRARY"; return 1; }
  rm -rf "$dir"
  mkdir -p "$dir"
  echo "fetching $CPP_PACKAGE ..." >&2
  echo "$CPP_PACKAGE --hash=sha256:$CPP_PACKAGE_SHA256" >"$dir/requirements.txt"
  # With a hash pip looks at nothing that is not that very file.
  if ! timeout 120 python3 -m pip download --quiet --no-deps --no-binary :all: --require-hashes -r "$dir/requirements.txt" -d "$dir" >"$dir/pip.log" 2>&1 ||
    ! tar -xzf "$dir"/*.tar.gz -C "$dir" --strip-components=2 --wildcards '*/rocketmq/librocketmq.so' 2>>"$dir/pip.log"; then
    CPP_MISSING="the C++ client's library cannot be fetched: $(tail -n 1 "$dir/pip.log"); set INTEROP_CPP_LIBRARY"
    return 1
  fi
  rm -f "$dir"/*.tar.gz
  cpp_library_is "$CPP_LIBRARY" || { CPP_MISSING="$CPP_PACKAGE holds another library than it did"; return 1; }
}

cpp_library_is() { # FILE
  [ -f "$1" ] && [ "$(sha256sum "$1" | cut -d' ' -f1)" = "$CPP_LIBRARY_SHA256" ]
}

# compile_cpp: builds the cases once per content and library; sets CPP_PROGRAM.
compile_cpp() {
  local key file failed=0 dir pids=()
  local compiler="${CXX:-c++}"
  command -v "$compiler" >/dev/null || { CPP_MISSING="no C++ compiler ($compiler)"; return 1; }
  key="$({ cat "$INTEROP_DIR"/cpp/*; sha256sum <"$CPP_LIBRARY"; echo "$CPP_LIBRARY"; } | sha256sum | cut -c1-12)"
  dir="$BUILD_DIR/cpp-client-$key"
  CPP_PROGRAM="$dir/cpp-client"
  [ -x "$CPP_PROGRAM" ] && return 0
  echo "compiling the C++ cases ..." >&2
  rm -rf "$BUILD_DIR"/cpp-client-*
  mkdir -p "$dir"
  for file in "$INTEROP_DIR"/cpp/*.cpp; do
    "$compiler" -std=c++20 -O0 -Wall -Wextra -c "$file" -o "$dir/$(basename "$file").o" 2>>"$dir/log" &
    pids+=($!)
  done
  for file in "${pids[@]}"; do wait "$file" || failed=1; done
  [ $failed -eq 0 ] && "$compiler" "$dir"/*.o -o "$CPP_PROGRAM" "$CPP_LIBRARY" "-Wl,-rpath,$(dirname "$CPP_LIBRARY")" -Wl,--allow-shlib-undefined -pthread 2>>"$dir/log" && return 0
  cat "$dir/log" >&2
  return 2
}
