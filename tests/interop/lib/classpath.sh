# Sourced by the scripts beside it. Resolves a pom to a class path once and keeps the answer, so that a second run
# needs neither the network nor Maven.

INTEROP_DIR="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
REPO_DIR="$(cd "$INTEROP_DIR/../.." && pwd)"
BUILD_DIR="${INTEROP_BUILD_DIR:-$REPO_DIR/build/interop}"

# pom_classpath POM VERSION: prints the class path that POM gives for -Drocketmq.version=VERSION.
# The cached answer is keyed by the pom's content and dropped when one of its jars has gone. One Maven at a time: several
# would write the same local repository.
pom_classpath() {
  local pom="$1" version="$2" key file
  key="$(sha256sum "$pom" | cut -c1-12)"
  mkdir -p "$BUILD_DIR/classpath"
  file="$BUILD_DIR/classpath/$(basename "$(dirname "$pom")")-$version-$key.txt"
  locked "$BUILD_DIR/classpath/lock" resolve_pom "$pom" "$version" "$file" && cat "$file"
}

# locked FILE COMMAND...: runs it while nobody else does so with the same FILE.
locked() {
  local lock="$1"
  shift
  (flock 9 && "$@" 9>&-) 9>"$lock"
}

resolve_pom() { # POM VERSION FILE
  local pom="$1" version="$2" file="$3"
  if ! classpath_usable "$file"; then
    echo "resolving $(basename "$(dirname "$pom")") $version ..." >&2
    local goal=(-B -q -f "$pom" "-Drocketmq.version=$version" dependency:build-classpath "-Dmdep.outputFile=$file.new")
    if ! mvn -o "${goal[@]}" >"$file.log" 2>&1 && ! mvn "${goal[@]}" >"$file.log" 2>&1; then
      echo "cannot resolve $pom for version $version; Maven said:" >&2
      tail -n 20 "$file.log" >&2
      rm -f "$file.new"
      return 1
    fi
    mv "$file.new" "$file"
  fi
}

classpath_usable() {
  [ -s "$1" ] || return 1
  local jar
  while IFS= read -r -d: jar; do
    [ -f "$jar" ] || return 1
  done < <(cat "$1"; printf ':')
}
