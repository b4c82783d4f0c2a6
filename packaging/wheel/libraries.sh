#!/bin/sh
# packaging/wheel/libraries.sh PREFIX: builds the two libraries that a wheel cannot take from Debian as they are, from Debian's
# source packages, into PREFIX:
#   FFmpeg  Debian's has GPL parts and links 130 libraries; here demuxers, parsers and audio decoders alone, under the LGPL
#   curl    Debian's links Kerberos, LDAP, SSH ...; here HTTP and HTTPS through OpenSSL
# Needs dpkg-dev, gcc, make, nasm, libssl-dev, zlib1g-dev. The sources come from wherever this machine's apt gets its packages.
set -eu
prefix=$1
mkdir -p "$prefix"
prefix=$(cd "$prefix" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
jobs=${JOBS:-2}

# The machine's apt sources, for source packages; lists of its own, so that nothing of the system changes.
mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
chmod -R a+rX "$work"
sed "s/^Types:.*/Types: deb-src/" /etc/apt/sources.list.d/debian.sources >"$work/debian.sources"
source_package() {
    (cd "$work" && apt-get -qq -o Dir::Etc::sourcelist="$work/debian.sources" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State::lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root "$@")
}
source_package update
source_package source ffmpeg curl >/dev/null

cd "$work"/ffmpeg-*/
# The audio decoders: what libavcodec's own list has between these two headings.
decoders=$(awk '/\/\* audio codecs \*\//{on = 1} /\/\* subtitles \*\//{on = 0} on && /^extern const FFCodec ff_.*_decoder;/ {
    sub(/^.* ff_/, ""); sub(/_decoder;.*/, ""); printf "%s%s", n++ ? "," : "", $0}' libavcodec/allcodecs.c)
[ -n "$decoders" ] || { echo "libavcodec/allcodecs.c: no audio decoders between its headings" >&2; exit 1; }
./configure --prefix="$prefix" --libdir="$prefix/lib" --enable-shared --disable-static --disable-debug --disable-doc --disable-programs \
    --disable-autodetect --enable-zlib --disable-network --disable-avdevice --disable-avfilter --disable-swscale \
    --disable-everything --enable-demuxers --enable-parsers --enable-protocol=file,pipe --enable-decoder="$decoders" \
    --extra-ldflags='-Wl,-rpath,$$ORIGIN' >"$work/log" || { tail -n 20 "$work/log" >&2; exit 1; }
grep -qx 'License: LGPL version 2.1 or later' "$work/log" || { echo "FFmpeg's configure promises another licence" >&2; exit 1; }
nice make -j"$jobs" >"$work/log" 2>&1 && make install >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; exit 1; }
mkdir -p "$prefix/licenses/ffmpeg" "$prefix/licenses/curl"
cp LICENSE.md COPYING.LGPLv2.1 "$prefix/licenses/ffmpeg/"

cd "$work"/curl-*/
./configure --prefix="$prefix" --libdir="$prefix/lib" --disable-static --with-openssl --with-zlib --with-ca-fallback --without-ca-bundle \
    --without-ca-path --disable-ftp --disable-file --disable-ldap --disable-ldaps --disable-rtsp --disable-dict --disable-telnet \
    --disable-tftp --disable-pop3 --disable-imap --disable-smb --disable-smtp --disable-gopher --disable-mqtt --disable-manual \
    --without-brotli --without-zstd --without-libpsl --without-libssh2 --without-librtmp --without-libidn2 --without-nghttp2 \
    >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; exit 1; }
nice make -j"$jobs" -C lib >"$work/log" 2>&1 && make -C lib install >"$work/log" 2>&1 &&
    make -C include install >"$work/log" 2>&1 && make install-pkgconfigDATA >"$work/log" 2>&1 ||
    { tail -n 20 "$work/log" >&2; exit 1; }
cp COPYING "$prefix/licenses/curl/"
