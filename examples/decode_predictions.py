"""Codes that a decoder predicted from a scan, as sound: decode_predictions.py PREDICTED.npy OUT.wav.

PREDICTED.npy holds integers (n_trs, codebooks, frames per TR), or what a network puts out before the choice: float
(n_trs, codebooks, frames per TR, 1024), of which the largest of the last dimension is taken.
"""
import sys

import ecdc
import numpy as np

codes = np.load(sys.argv[1])
if codes.ndim == 4:
    codes = codes.argmax(axis=-1)
processor = ecdc.AudioProcessor(model="default", n_codebooks=codes.shape[1])  # the model whose codes were learnt
processor.features_to_audio(codes, sys.argv[2])
print(f"{sys.argv[2]}: {len(codes)} TRs, {len(codes) * 1.5:.1f} s")
