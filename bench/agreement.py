"""Holds the codes and sounds in WORK_DIR against the reference's there (worker.py). Usage: agreement.py WORK_DIR NAME ..."""
import json
import sys
from pathlib import Path

import numpy as np


def read_float_wav(path):
    data = path.read_bytes()
    at = 12
    while data[at:at + 4] != b"data":
        at += 8 + int.from_bytes(data[at + 4:at + 8], "little") + data[at + 4] % 2
    return np.frombuffer(data[at + 8:at + 8 + int.from_bytes(data[at + 4:at + 8], "little")], "<f4")


def main():
    work = Path(sys.argv[1])
    codes, sound = np.load(work / "codes.npy"), np.load(work / "sound.npy").ravel()
    found = {}
    for name in sys.argv[2:]:
        theirs = np.load(work / f"{name}-codes.npy").reshape(codes.shape)
        wav = work / f"{name}-sound.wav"
        heard = read_float_wav(wav) if wav.exists() else np.load(work / f"{name}-sound.npy").ravel()
        equal = theirs == codes
        found[name] = {"codes": int(codes.size), "equal": float(equal.mean()), "equal_codebook_0": float(equal[0].mean()),
                       "largest_error": float(np.abs(heard.astype(np.float64) - sound).max())}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
