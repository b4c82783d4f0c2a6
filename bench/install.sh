#!/bin/sh
# Makes a virtual environment with the peers, or completes one: what tests/peers needs, and requirements.txt of this folder.
# Usage: bench/install.sh VENV
set -eu
[ $# -eq 1 ] || { echo "usage: $0 VENV" >&2; exit 2; }
venv=$1
here=$(cd "$(dirname "$0")" && pwd)
stamp=$venv/ecdc-bench.stamp
wanted=$(cksum <"$here/requirements.txt")
imports='import matplotlib, onnx, onnxruntime, openvino'

"$here/../tests/peers/install.sh" "$venv"
if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && "$venv/bin/python" -c "$imports" 2>/dev/null; then
    exit 0
fi
echo "installing into $venv: onnxruntime, openvino, matplotlib (0.1 GB to download, 0.4 GB on disk)"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir --no-deps -r "$here/requirements.txt"
"$venv/bin/python" -c "$imports"
echo "$wanted" >"$stamp"
