"""Generates the dry corpus: WORK/corpus/KIND-NNN.npy, int16 at 24 kHz, each a chain of passages. Files that are there are kept,
so an interrupted run goes on where it was. Shard n of a kind depends on the settings' seed and n alone.

Usage: corpus.py SETTINGS WORK
"""

import os
import sys
import tomllib

import numpy as np

import music
import speech

RATE_HZ = 24000


def _append_level(passage, rng):
    """int16 with a peak between -12 and -1 dBFS, or None for silence."""
    peak = np.abs(passage).max(initial=0)
    if peak < 1e-3:
        return None
    return np.int16(passage / peak * 10 ** rng.uniform(-0.6, -0.05) * 32767)


def shard(make, length_s, rng):
    parts, n = [], 0
    while n < length_s * RATE_HZ:
        passage = make(rng)
        levelled = None if passage is None else _append_level(passage, rng)
        if levelled is not None:
            parts.append(levelled)
            n += len(levelled)
    return np.concatenate(parts)[: int(length_s * RATE_HZ)]


def plan(settings):
    """Names of all shards with their kind and seed, training and held-out ones alternating so that a training can start early."""
    c = settings["corpus"]
    held = [(f"held_out_{kind}-{i:03}", kind, 10_000 + i) for kind in ("speech", "music") for i in range(c["held_out_shards"])]
    speech_names = [(f"speech-{i:03}", "speech", i) for i in range(c["speech_shards"])]
    music_names = [(f"music-{i:03}", "music", i) for i in range(c["music_shards"])]
    both = []
    while speech_names or music_names:
        both += speech_names[:2] + music_names[:1]
        speech_names, music_names = speech_names[2:], music_names[1:]
    return both[:6] + held + both[6:]


def main():
    with open(sys.argv[1], "rb") as f:
        settings = tomllib.load(f)
    folder = os.path.join(sys.argv[2], "corpus")
    os.makedirs(folder, exist_ok=True)
    makers = {"speech": speech.Speaker().passage, "music": music.piece}
    todo = plan(settings)
    for done, (name, kind, seed) in enumerate(todo):
        path = os.path.join(folder, name + ".npy")
        if os.path.exists(path):
            continue
        rng = np.random.default_rng([settings["seed"], {"speech": 1, "music": 2}[kind], seed])
        samples = shard(makers[kind], settings["corpus"]["shard_s"], rng)
        np.save(path + ".tmp.npy", samples)
        os.replace(path + ".tmp.npy", path)
        print(f"corpus: {done + 1}/{len(todo)} {name}", flush=True)


if __name__ == "__main__":
    main()
