#!/bin/sh
# packaging/wheel/libraries.sh PREFIX: builds into PREFIX, from Debian's source packages, the libraries that a wheel carries and cannot
# take from Debian as they are:
#   FFmpeg   Debian's has GPL parts and links 130 libraries; here demuxers, parsers and audio decoders, and what writes WAV and the
#            sound and the figure of a report, under the LGPL
#   curl     Debian's links Kerberos, LDAP, SSH ...; here HTTP and HTTPS through OpenSSL
#   libzip   Debian's links bzip2 and OpenSSL; here deflate alone, which is what .npz files and checkpoints have
#   libsoxr  Debian's links GCC's OpenMP library; here without, since ecdc has threads of its own
# cJSON and OpenSSL are Debian's. PREFIX/licences/ has the licences of all, PREFIX/licences/libraries.tsv what each file is made from.
# Needs tools/setup.sh's BUILD_PACKAGES and WHEEL_PACKAGES. The sources come from wherever this machine's apt gets its packages.
set -eu
script=$(realpath "$0")
prefix=$1
mkdir -p "$prefix"
prefix=$(cd "$prefix" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
jobs=${JOBS:-2}

# quietly COMMAND ...: shows what it printed where it fails
quietly() { "$@" >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; exit 1; }; }

# The machine's apt sources, for source packages; lists of its own, so that nothing of the system changes.
mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
chmod -R a+rX "$work"
sed "s/^Types:.*/Types: deb-src/" /etc/apt/sources.list.d/debian.sources >"$work/debian.sources"
source_package() {
    (cd "$work" && quietly apt-get -qq -o Dir::Etc::sourcelist="$work/debian.sources" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State::lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root "$@")
}
source_package update
source_package source ffmpeg curl libzip libsoxr

rm -rf "$prefix/licences"
mkdir -p "$prefix/licences"
cp "$script" "$prefix/licences/" # the LGPL asks for it
table=$prefix/licences/libraries.tsv
printf 'file\tlibrary\tversion\tlicence\tsource\n' >"$table"
# carries NAME LICENCE VERSION SOURCE "FILE ..." TEXT ...: a library for the table, the texts of its licence
carries() {
    for file in $5; do
        printf '%s\t%s\t%s\t%s\tsource package of Debian: %s\n' "$file" "$1" "${3#*:}" "$2" "$4" >>"$table"
    done
    directory=$prefix/licences/$1
    shift 5
    mkdir -p "$directory"
    cp -L "$@" "$directory/"
}
# built NAME LICENCE "FILE ..." TEXT ...: the same for what was built in the current directory
built() {
    name=$1 licence=$2 files=$3
    shift 3
    version=$(dpkg-parsechangelog -S Version)
    carries "$name" "$licence" "$version" "$(dpkg-parsechangelog -S Source) $version, built by libraries.sh" "$files" "$@"
}
# installed NAME LICENCE PACKAGE "FILE ..." TEXT ...: and for what Debian's own package has
installed() {
    name=$1 licence=$2 package=$3 files=$4
    shift 4
    version=$(dpkg-query -W -f '${source:Version}' "$package")
    carries "$name" "$licence" "$version" "$(dpkg-query -W -f '${source:Package}' "$package") $version, built by Debian ($package)" \
        "$files" "/usr/share/doc/$package/copyright" "$@"
}

cd "$work"/ffmpeg-*/
# The audio decoders: what libavcodec's own list has between these two headings.
decoders=$(awk '/\/\* audio codecs \*\//{on = 1} /\/\* subtitles \*\//{on = 0} on && /^extern const FFCodec ff_.*_decoder;/ {
    sub(/^.* ff_/, ""); sub(/_decoder;.*/, ""); printf "%s%s", n++ ? "," : "", $0}' libavcodec/allcodecs.c)
[ -n "$decoders" ] || { echo "libavcodec/allcodecs.c: no audio decoders between its headings" >&2; exit 1; }
quietly ./configure --prefix="$prefix" --libdir="$prefix/lib" --enable-shared --disable-static --disable-debug --disable-doc \
    --disable-programs --disable-autodetect --enable-zlib --disable-network --disable-avdevice --disable-avfilter --disable-swscale \
    --disable-everything --enable-demuxers --enable-parsers --enable-protocol=file,pipe --enable-decoder="$decoders" \
    --enable-encoder=aac,png --enable-muxer=wav,mp4
grep -qx 'License: LGPL version 2.1 or later' "$work/log" || { echo "FFmpeg's configure promises another licence" >&2; exit 1; }
quietly nice make -j"$jobs"
quietly make install
built FFmpeg LGPL-2.1-or-later "libavcodec libavformat libavutil libswresample" LICENSE.md COPYING.LGPLv2.1

cd "$work"/curl-*/
quietly ./configure --prefix="$prefix" --libdir="$prefix/lib" --disable-static --with-openssl --with-zlib --with-ca-fallback \
    --without-ca-bundle --without-ca-path --disable-ftp --disable-file --disable-ldap --disable-ldaps --disable-rtsp --disable-dict \
    --disable-telnet --disable-tftp --disable-pop3 --disable-imap --disable-smb --disable-smtp --disable-gopher --disable-mqtt \
    --disable-manual --without-brotli --without-zstd --without-libpsl --without-libssh2 --without-librtmp --without-libidn2 \
    --without-nghttp2
quietly nice make -j"$jobs" -C lib
quietly make -C lib install
quietly make -C include install
quietly make install-pkgconfigDATA
built curl curl libcurl COPYING

# cmake_library OPTION ...: builds and installs the current directory
cmake_library() {
    quietly cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib "$@"
    quietly nice cmake --build build -j "$jobs"
    quietly cmake --install build
}
cd "$work"/libzip-*/
cmake_library -DENABLE_GNUTLS=OFF -DENABLE_MBEDTLS=OFF -DENABLE_OPENSSL=OFF -DENABLE_BZIP2=OFF -DENABLE_LZMA=OFF -DBUILD_TOOLS=OFF \
    -DBUILD_REGRESS=OFF -DBUILD_EXAMPLES=OFF -DBUILD_DOC=OFF
built libzip BSD-3-Clause libzip LICENSE

cd "$work"/libsoxr-*/
cmake_library -DLIB_INSTALL_DIR="$prefix/lib" -DWITH_OPENMP=OFF -DWITH_LSR_BINDINGS=OFF -DBUILD_TESTS=OFF -DBUILD_EXAMPLES=OFF
sed '/^#include/,$d' src/pffft.c >PFFFT # the licence of the Fourier transform inside
built libsoxr LGPL-2.1-or-later libsoxr LICENCE COPYING.LGPL PFFFT

installed cJSON MIT libcjson1 libcjson
installed OpenSSL Apache-2.0 libssl3 "libssl libcrypto" /usr/share/common-licenses/Apache-2.0
