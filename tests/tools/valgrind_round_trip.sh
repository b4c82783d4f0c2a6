#!/bin/sh
# encode, decode, features and reconstruct under valgrind with the portable kernels (it does not know AVX-512): any leak or
# invalid access is a failure.
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
ffmpeg -loglevel error -i "$here/audio/jfk.flac" -t 1.6 "$work/in.wav"
check() {
    valgrind -q --leak-check=full --show-leak-kinds=definite,indirect,possible --errors-for-leak-kinds=definite,indirect,possible \
        --error-exitcode=99 "$here/build/ecdc" "$@" -q --threads 2 --cpu reference
}
check encode "$work/in.wav" -m "$here/tests/data/tiny24" -o "$work/codes.ecdc"
check decode "$work/codes.ecdc" -m "$here/tests/data/tiny24" -o "$work/out.wav"
check features "$work/in.wav" -m default --tr 0.8 -o "$work/f.npy"
check reconstruct "$work/f.npy" -o "$work/f.wav"
