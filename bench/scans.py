"""Makes subjects for bench/fmri.py: a head in a box of 58 x 64 x 48 voxels, 47 % of it; int16, smooth plus noise, gzip ratio 2.5.

Usage: scans.py FOLDER SUBJECTS TRS
"""
import gzip
import struct
import sys
from pathlib import Path

import numpy as np

X, Y, Z = 58, 64, 48


def header(n_trs):
    h = bytearray(352)
    struct.pack_into("<i", h, 0, 348)
    struct.pack_into("<8h", h, 40, 4, X, Y, Z, n_trs, 1, 1, 1)
    struct.pack_into("<2h", h, 70, 4, 16)
    struct.pack_into("<9f", h, 76, 1, 3, 3, 3, 1.5, 1, 1, 1, 352)
    h[123] = 10
    struct.pack_into("<h", h, 254, 4)
    struct.pack_into("<12f", h, 280, 3, 0, 0, -90, 0, 3, 0, -126, 0, 0, 3, -72)
    h[344:347] = b"n+1"
    return bytes(h)


def main(folder, subjects, n_trs):
    z, y, x = np.meshgrid(*[np.linspace(-1, 1, n, dtype=np.float32) for n in (Z, Y, X)], indexing="ij")
    head = x**2 + y**2 + z**2 < 0.97
    level = 8000 + 2000 * np.cos(3 * z) * np.cos(2 * y)
    for subject in range(subjects):
        rng = np.random.default_rng(subject)
        modes = [np.cos(a * z + b * y + c * x) for a, b, c in rng.uniform(1, 4, (4, 3)).astype(np.float32)]
        with gzip.open(folder / f"sherlock_movie_s{subject + 1}.nii.gz", "wb", compresslevel=6) as f:
            f.write(header(n_trs))
            for t in range(n_trs):
                slow = sum(15 * np.sin(t / (20 + 7 * i)) * mode for i, mode in enumerate(modes))
                volume = level + slow + 130 * rng.standard_normal(head.shape, np.float32)
                f.write(np.where(head, np.rint(volume), 0).astype("<i2").tobytes())


main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
