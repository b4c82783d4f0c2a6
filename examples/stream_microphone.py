"""Codes of a live sound as it comes: 16-bit mono at 24 kHz on standard input, for example

    arecord -q -f S16_LE -r 24000 -c 1 | python3 stream_microphone.py

prints a line for every block that completes frames: time of the sound heard so far, number of frames, codes of the last one.
"""
import sys

import ecdc
import numpy as np

BLOCK_SAMPLES = 4800  # 0.2 s

with ecdc.Encoder(ecdc.Model("default"), bandwidth=1.5) as encoder:
    heard = frames = 0
    while block := sys.stdin.buffer.read(2 * BLOCK_SAMPLES):
        samples = np.frombuffer(block, "<i2")
        encoder.push(samples)
        heard += len(samples)
        codes = encoder.pull()
        frames += codes.shape[1]
        if codes.shape[1]:
            print(f"{heard / 24000:.1f} s: {frames} frames, last {codes[:, -1]}", flush=True)
    encoder.finish()
    frames += encoder.pull().shape[1]
    print(f"{frames} frames")
