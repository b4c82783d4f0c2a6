"""What bf16 costs: codes that differ, and what is heard of it, on the recording with the default model, which is trained."""
import numpy as np

from common import ROOT, ecdc

SOUND = ROOT / "audio" / "jfk.flac"


def reconstruct(r, kbps, precision):
    """(codes, the command's metrics of their decoding)"""
    codes, heard = r.work / "codes.npy", r.work / "heard.wav"
    ecdc("encode", SOUND, "-o", codes, "-q", "-f", "-m", "default", "-b", kbps, "--precision", precision)
    ecdc("decode", codes, "-o", heard, "-q", "-f", "-m", "default", "--float", "--precision", precision)
    return np.load(codes), ecdc("compare", SOUND, heard, "--json").json


def measure(r):
    bf16, reason = r.has_bf16()
    if not bf16:
        return {"no_bf16": reason}
    rows = []
    for kbps in (1.5, 3, 6, 12, 24):
        exact, metrics = reconstruct(r, kbps, "f32")
        rounded, with_bf16 = reconstruct(r, kbps, "bf16")
        equal = (exact == rounded).mean(axis=1)
        rows.append({"kbps": kbps, "equal": float(equal.mean()), "equal_first": float(equal[0]), "equal_last": float(equal[-1]),
                     **{f"{name}_{precision}": found[name] for name in ("snr_db", "stoi")
                        for precision, found in (("f32", metrics), ("bf16", with_bf16))}})
    return {"sound": SOUND.name, "n_frames": int(exact.shape[1]), "rows": rows}
