#!/bin/sh
# A film to features and back: encode_film.sh FILM
set -eu
name=$(basename "${1%.*}")
ecdc features "$1" -q -f -o "$name.npy" --alignment exact
ecdc reconstruct "$name.npy" -q -f -o "$name.wav"
ecdc info "$name.npy" | head -n 3
