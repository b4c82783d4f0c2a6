"""Scans as NIfTI files, written and read by hand, and giblet's rule for masks in numpy."""

import gzip
import math
import struct

import numpy as np

AFFINE = np.array([[-3, 0, 0, 90], [0, 3, 0.5, -126], [0, 0, 3.5, -72], [0, 0, 0, 1]], np.float32)
TYPES = {"int16": 4, "float32": 16, "float64": 64, "uint8": 2}


def write_nifti(path, data, tr=1.5, affine=AFFINE, order="<", slope=0.0, intercept=0.0):
    """An array (x, y, z) or (x, y, z, n_trs) as NIfTI-1; gzip where the name ends in .gz."""
    header = bytearray(352)
    struct.pack_into(order + "i", header, 0, 348)
    struct.pack_into(order + "8h", header, 40, data.ndim, *data.shape, *[1] * (7 - data.ndim))
    struct.pack_into(order + "2h", header, 70, TYPES[data.dtype.name], 8 * data.dtype.itemsize)
    struct.pack_into(order + "8f", header, 76, 1, 3, 3, 3.5, tr, 1, 1, 1)
    struct.pack_into(order + "3f", header, 108, 352, slope, intercept)
    header[123] = 2 | 8
    struct.pack_into(order + "2h", header, 252, 0, 1)
    struct.pack_into(order + "12f", header, 280, *affine[:3].ravel())
    header[344:347] = b"n+1"
    content = bytes(header) + data.astype(data.dtype.newbyteorder(order)).tobytes(order="F")
    path.write_bytes(gzip.compress(content, 1) if path.suffix == ".gz" else content)
    return path


def read_nifti(path):
    """(array, affine, TR) of what ecdc writes."""
    content = path.read_bytes()
    content = gzip.decompress(content) if path.suffix == ".gz" else content
    n, *dims = struct.unpack_from("<8h", content, 40)
    dtype = {code: name for name, code in TYPES.items()}[struct.unpack_from("<h", content, 70)[0]]
    affine = np.array([*struct.unpack_from("<12f", content, 280), 0, 0, 0, 1]).reshape(4, 4)
    return np.frombuffer(content, dtype, offset=352).reshape(dims[:n], order="F"), affine, struct.unpack_from("<f", content, 92)[0]


def subject(seed, shape=(7, 6, 5, 220)):
    rng = np.random.default_rng(seed)
    data = rng.normal(0, 1, shape) * rng.uniform(5, 80, shape[:3] + (1,)) + 1000
    data[:2] = 0  # outside the head
    data[3, 3, 3] = 700  # constant inside it
    return np.rint(data).astype(np.int16)


def shared(scans, n=200):
    """giblet's rule."""
    votes = 0
    for scan in scans:
        deviation = scan[..., :n].astype(float).std(axis=-1)
        votes = votes + (deviation > np.percentile(deviation[deviation > 0], 10))
    return votes >= math.ceil(len(scans) / 2)
