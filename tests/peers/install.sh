#!/bin/sh
# Makes a virtual environment with what the comparisons in this folder need, or completes one.
# Usage: tests/peers/install.sh VENV
# Needs python3 (3.11) with venv, a C compiler and readelf. Does nothing where all is there already.
set -eu
[ $# -eq 1 ] || { echo "usage: $0 VENV" >&2; exit 2; }
venv=$1
here=$(cd "$(dirname "$0")" && pwd)
stamp=$venv/ecdc-peers.stamp
wanted=$(cat "$here/requirements.txt" "$here/stub_cuda.py" "$here/install.sh" | cksum)

if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && "$venv/bin/python" -c 'import librosa, nilearn, pandas, pesq, pystoi, pytest, torch, transformers' 2>/dev/null; then
    exit 0
fi

echo "installing into $venv: torch, transformers, encodec, librosa, nilearn, pystoi, pesq, numpy, pandas and pytest with what they need"
echo "(0.7 GB to download, 2 GB on disk, a minute or two; versions in tests/peers/requirements.txt)"
[ -x "$venv/bin/python" ] || "${PYTHON:-python3}" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir --no-deps -r "$here/requirements.txt"
"$venv/bin/python" "$here/stub_cuda.py"
"$venv/bin/python" -c 'import librosa, nilearn, pandas, pesq, pystoi, pytest, torch, transformers'
echo "$wanted" >"$stamp"
