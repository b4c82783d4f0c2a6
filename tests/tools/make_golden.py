"""Writes tests/data/tiny24 from a folder of golden vectors.

The folder holds what transformers 5.23 / torch 2.15 (EncodecModel, float32, CPU) computed on a model with random,
well-conditioned weights: input.npy, codes_*kbps.npy, decoded_*kbps.npy, layers.npz (the output of every layer for the first
9 600 samples) and lengths.npz (codes and sound for the first n samples). Here each array becomes one .npy file that the C
tests can read; codes lose the axis for chunks, of which there is one.

    python3 tests/tools/make_golden.py GOLDEN/tiny24
"""
import pathlib
import shutil
import sys

import numpy as np

source = pathlib.Path(sys.argv[1])
target = pathlib.Path(__file__).resolve().parents[1] / "data" / "tiny24"
target.mkdir(parents=True, exist_ok=True)
for name in ("config.json", "model.safetensors"):
    shutil.copyfile(source / name, target / name)


def save(name, array):
    path = target / (name + ".npy")
    path.parent.mkdir(exist_ok=True)
    np.save(path, np.ascontiguousarray(array))


save("input", np.load(source / "input.npy")[0])
for kbps in ("1.5", "3", "6"):
    save(f"codes_{kbps}kbps", np.load(source / f"codes_{kbps}kbps.npy")[0])
    save(f"decoded_{kbps}kbps", np.load(source / f"decoded_{kbps}kbps.npy")[0])
with np.load(source / "layers.npz") as layers:
    for name in layers:
        save(f"layers/{name}", layers[name].T)  # rows are time steps, as in the code
with np.load(source / "lengths.npz") as lengths:
    for name in lengths:
        if name.startswith("codes_"):
            save(f"lengths/{name}", lengths[name][0])
        elif name.startswith("decoded_"):
            save(f"lengths/{name}", lengths[name][0])
