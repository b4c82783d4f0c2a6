"""Music from sampled instruments: random MIDI files played by fluidsynth, and plain synthetic sounds."""

import os
import struct
import subprocess
import tempfile

import numpy as np
import soundfile

RATE_HZ = 24000
SOUNDFONTS = ["/usr/share/sounds/sf2/FluidR3_GM.sf2", "/usr/share/sounds/sf2/TimGM6mb.sf2"]
TICKS = 480 # per quarter note
SCALES = [[0, 2, 4, 5, 7, 9, 11], [0, 2, 3, 5, 7, 8, 10], [0, 3, 5, 7, 10], [0, 2, 4, 7, 9], list(range(12))]
CHORDS = [[0], [0], [0], [0], [0, 4, 7], [0, 3, 7], [0, 7], [0, 12]]
DRUMS = [35, 36, 37, 38, 39, 40, 42, 44, 46, 49, 51, 54, 56, 60, 63, 70]


def _variable_length(n):
    out = bytes([n & 127])
    while n := n >> 7:
        out = bytes([n & 127 | 128]) + out
    return out


def midi(rng, length_s):
    """A MIDI file (format 0) of up to six parts and drums."""
    bpm = int(rng.integers(55, 180))
    end = int(length_s * TICKS * bpm / 60)
    events = [] # (tick, order at one tick, bytes)
    root, scale = int(rng.integers(36, 60)), SCALES[rng.integers(len(SCALES))]

    def note(channel, tick, key, velocity, ticks):
        events.append((tick, 1, bytes([0x90 | channel, key, velocity])))
        events.append((tick + ticks, 0, bytes([0x80 | channel, key, 0])))

    for channel in range(int(rng.integers(1, 7))):
        events.append((0, 0, bytes([0xC0 | channel, int(rng.integers(0, 128))])))
        octave = int(rng.choice([-12, 0, 12, 24]))
        step = int(rng.choice([120, 240, 240, 480, 960, 1920]))
        chord = CHORDS[rng.integers(len(CHORDS))]
        tick = int(rng.integers(0, TICKS))
        while tick < end:
            key = root + octave + scale[rng.integers(len(scale))]
            for interval in chord:
                note(channel, tick, min(max(key + interval, 21), 108), int(rng.integers(35, 127)),
                     int(step * rng.uniform(0.4, 1.9)))
            tick += step * int(rng.choice([1, 1, 1, 2, 3]))
    if rng.random() < 0.55:
        for tick in range(0, end, int(rng.choice([120, 160, 240]))):
            if rng.random() < 0.6:
                note(9, tick, int(rng.choice(DRUMS)), int(rng.integers(40, 127)), 60)

    track = b"\0\xff\x51\x03" + struct.pack(">I", 60_000_000 // bpm)[1:]
    last = 0
    for tick, _, message in sorted(events):
        track += _variable_length(tick - last) + message
        last = tick
    track += b"\0\xff\x2f\0"
    return (b"MThd" + struct.pack(">IHHH", 6, 0, 1, TICKS) + b"MTrk" + struct.pack(">I", len(track)) + track)


def _played(rng):
    with tempfile.TemporaryDirectory() as folder:
        song, wav = os.path.join(folder, "song.mid"), os.path.join(folder, "song.wav")
        with open(song, "wb") as f:
            f.write(midi(rng, 25))
        subprocess.run(["fluidsynth", "-ni", "-q", "-g", "0.6", "-r", str(RATE_HZ), "-F", wav,
                        SOUNDFONTS[rng.integers(len(SOUNDFONTS))], song],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120, check=True)
        samples, _ = soundfile.read(wav, dtype="float32")
    return samples.mean(1)


def _synthetic(rng):
    """Ten seconds of what neither voices nor instruments give: sweeps, tones, noise bands, clicks, each with an envelope."""
    n = 10 * RATE_HZ
    t = np.arange(n) / RATE_HZ
    out = np.zeros(n)
    for _ in range(int(rng.integers(1, 5))):
        kind = rng.integers(4)
        if kind == 0: # sweep
            f = np.geomspace(rng.uniform(50, 4000), rng.uniform(50, 11000), n)
            part = np.sin(2 * np.pi * np.cumsum(f) / RATE_HZ)
        elif kind == 1: # harmonics
            f0 = rng.uniform(60, 1200)
            part = sum(np.sin(2 * np.pi * f0 * h * t + rng.uniform(0, 6)) * rng.uniform(0, 1) / h
                       for h in range(1, int(min(20, 11000 / f0)) + 1))
        elif kind == 2: # a band of noise
            spectrum = np.fft.rfft(rng.standard_normal(n))
            f = np.fft.rfftfreq(n, 1 / RATE_HZ)
            part = np.fft.irfft(spectrum * np.exp(-((np.log(f + 1) - np.log(rng.uniform(100, 8000))) / 0.7) ** 2), n)
        else: # clicks that ring
            part = np.zeros(n)
            part[rng.integers(0, n, int(rng.integers(5, 80)))] = rng.choice([-1.0, 1.0])
            ring = np.exp(-np.arange(1200) / rng.uniform(3, 300)) * np.cos(np.arange(1200) * rng.uniform(0.05, 3))
            part = np.convolve(part, ring)[:n]
        points = int(rng.integers(3, 40))
        envelope = np.interp(np.arange(n), np.linspace(0, n, points), rng.random(points) ** 2)
        out += part / (np.abs(part).max() + 1e-9) * envelope
    return out.astype(np.float32)


def piece(rng):
    """Some seconds of music or other sound at RATE_HZ as float32."""
    return _synthetic(rng) if rng.random() < 0.12 else _played(rng)
