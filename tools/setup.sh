# Set-up that ./demo and ./check share; sourced by them from the repository's root. Debian 12 or newer.

BUILD_PACKAGES="gcc libc6-dev cmake ninja-build pkg-config libavformat-dev libavcodec-dev libavutil-dev libsoxr-dev libcjson-dev
 libssl-dev libzip-dev zlib1g-dev libcurl4-openssl-dev"
TEST_PACKAGES="libcmocka-dev ffmpeg python3-numpy python3-pandas python3-pytest g++ man-db
 python3-markdown python3-pygments"
PEER_PACKAGES="python3-venv"
BROWSER_PACKAGES="chromium" # shows the page of ecdc report to the tests
CLANG_PACKAGES="clang"
SANITIZE_PACKAGES="valgrind"
FUZZ_PACKAGES="clang libclang-rt-14-dev llvm-14"
DEB_PACKAGES="dpkg-dev"
WHEEL_PACKAGES="dpkg-dev nasm python3-venv"
LONG_PACKAGES="slurmctld slurmd slurm-client munge debootstrap openssl iproute2"
AARCH64_PACKAGES="gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static"

say() { printf '\n== %s\n' "$*"; }

# Installs those of the named packages that are missing, after saying so.
need() {
    missing=
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
    done
    [ -z "$missing" ] && return 0
    say "Installing Debian packages:$missing"
    as_root=
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || {
            echo "This needs root or sudo. Ask an administrator for: apt-get install$missing" >&2
            exit 1
        }
        as_root=sudo
    fi
    export DEBIAN_FRONTEND=noninteractive
    $as_root apt-get update -qq
    # shellcheck disable=SC2086 # a list of names
    $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

# build PRESET [CMAKE-OPTION ...]
build() {
    preset=$1
    shift
    configured=$(cmake --preset "$preset" "$@" 2>&1) || {
        printf '%s\n' "$configured" >&2
        exit 1
    }
    cmake --build --preset "$preset" -- --quiet
}
