# Debian packages Gantry needs; sourced by run and test. Each list is installed only when something of it is missing.
packages_build="build-essential cmake ninja-build pkg-config ccache libboost1.81-dev libboost-json1.81-dev libboost-filesystem1.81-dev libtomlplusplus-dev
  liburing-dev libssl-dev libspdlog-dev libcli11-dev libisal-dev libxxhash-dev libyaml-dev zlib1g-dev liblua5.4-dev"
packages_test_build="libgtest-dev libfuse3-dev python3"
packages_test="abigail-tools openssl clang libclang-rt-14-dev strace procps fuse3 e2fsprogs"

# have_packages NAME...: true when all are installed
have_packages() {
  local installed
  installed=$(dpkg-query -W -f='${db:Status-Abbrev} ${Package}\n' "$@" 2>/dev/null | grep -c '^ii ')
  [ "$installed" -eq "$#" ]
}

# need_packages WHY NAME...: installs what is missing and says so
need_packages() {
  local why=$1
  shift
  if have_packages "$@"; then return 0; fi
  if ! command -v apt-get >/dev/null; then
    echo "gantry: these Debian packages are needed $why: $*" >&2
    echo "gantry: this system has no apt-get; install their counterparts and run again" >&2
    exit 1
  fi
  local sudo=""
  [ "$(id -u)" -eq 0 ] || sudo=sudo
  echo "gantry: installing Debian packages $why: $*"
  $sudo apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}
