# Sourced by the scripts beside it. Resolves a pom to a class path once and keeps the answer, so that a second run
# needs neither the network nor Maven.

INTEROP_DIR="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
REPO_DIR="$(cd "$INTEROP_DIR/../.." && pwd)"
BUILD_DIR="${INTEROP_BUILD_DIR:-$REPO_DIR/build/interop}"

# pom_classpath POM VERSION: prints the class path that POM gives for -Drocketmq.version=VERSION.
# The cached answer is keyed by the pom's content and dropped when one of its jars has gone.
pom_classpath() {
  local pom="$1" version="$2" key file
  key="$(sha256sum "$pom" | cut -c1-12)"
  mkdir -p "$BUILD_DIR/classpath"
  file="$BUILD_DIR/classpath/$(basename "$(dirname "$pom")")-$version-$key.txt"
  if ! classpath_usable "$file"; then
    echo "resolving $(basename "$(dirname "$pom")") $version ..." >&2
    local goal=(-B -q -f "$pom" "-Drocketmq.version=$version" dependency:build-classpath "-Dmdep.outputFile=$file.$$")
    if ! mvn -o "${goal[@]}" >"$file.log" 2>&1 && ! mvn "${goal[@]}" >"$file.log" 2>&1; then
      echo "cannot resolve $pom for version $version; Maven said:" >&2
      tail -n 20 "$file.log" >&2
      rm -f "$file.$$"
      return 1
    fi
    mv "$file.$$" "$file"
  fi
  cat "$file"
}

classpath_usable() {
  [ -s "$1" ] || return 1
  local jar
  while IFS= read -r -d: jar; do
    [ -f "$jar" ] || return 1
  done < <(cat "$1"; printf ':')
}
