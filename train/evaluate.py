"""Measures a model on recordings: STOI, SNR and wide-band PESQ at each bandwidth, entropy and use of the codebooks, and Opus at
6 and 12 kbps on the same files. Prints a table in Markdown. With --held-out, entropy and use are measured on the corpus's
held-out sound instead, mixed anew for half an hour as training mixes it: on few frames an entry is missing by chance.

Usage: evaluate.py --ecdc build/ecdc --model DIR|default [--opus] [--held-out WORK] RECORDING ...

Sound goes through the `ecdc` command. STOI and PESQ come from the packages pystoi and pesq; PESQ is taken at 16 kHz.
"""

import argparse
import os
import subprocess
import tempfile
import tomllib

import numpy as np
import pesq
import pystoi
import soundfile
import soxr

RATE_HZ = 24000
BANDWIDTHS_KBPS = [1.5, 3, 6, 12, 24]
OPUS_KBPS = [6, 12]


def run(*words):
    subprocess.run([str(w) for w in words], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def prepare(path, source):
    """The sound that the model is given: mono (the mean of stereo, not FFmpeg's louder sum of floats) at its rate, as a WAV file.
    Its samples."""
    run("ffmpeg", "-v", "error", "-y", "-i", path, "-ac", 1, "-af", f"aresample={RATE_HZ}:resampler=soxr:rematrix_maxval=1",
        "-c:a", "pcm_f32le", source)
    return soundfile.read(source, dtype="float64")[0]


def measures(reference, decoded):
    """(STOI, SNR in dB, PESQ) of float signals at RATE_HZ, cut to the shorter."""
    m = all_measures(reference, decoded)
    return m["STOI"], m["SNR, dB"], m["PESQ"]


def all_measures(reference, decoded):
    n = min(len(reference), len(decoded))
    x, y = reference[:n], decoded[:n]
    centred = x - x.mean()
    target = (y - y.mean()) @ centred / (centred @ centred) * centred
    narrow = [soxr.resample(s, RATE_HZ, 16000) for s in (x, y)]
    return {"STOI": pystoi.stoi(x, y, RATE_HZ), "ESTOI": pystoi.stoi(x, y, RATE_HZ, extended=True),
            "PESQ": pesq.pesq(16000, *narrow, "wb"), "SNR, dB": ratio_db(x, x - y),
            "SI-SDR, dB": ratio_db(target, y - y.mean() - target)}


def ratio_db(signal, noise):
    return 10 * np.log10(np.sum(signal**2) / np.sum(noise**2))


def through_ecdc(arguments, source, folder, kbps):
    codes, wav = os.path.join(folder, "codes.npy"), os.path.join(folder, "decoded.wav")
    run(arguments.ecdc, "encode", source, "-m", arguments.model, "-b", kbps, "-q", "-f", "-o", codes)
    run(arguments.ecdc, "decode", codes, "-m", arguments.model, "-q", "-f", "--float", "-o", wav)
    return np.load(codes), soundfile.read(wav, dtype="float64")[0]


def through_opus(source, folder, kbps):
    packed, wav = os.path.join(folder, "packed.opus"), os.path.join(folder, "opus.wav")
    run("ffmpeg", "-v", "error", "-y", "-i", source, "-ac", 1, "-c:a", "libopus", "-b:a", f"{kbps}k", packed)
    run("ffmpeg", "-v", "error", "-y", "-i", packed, "-ar", RATE_HZ, "-c:a", "pcm_f32le", wav)
    return soundfile.read(wav, dtype="float64")[0]


def held_out_codes(arguments, folder):
    """Codes of half an hour of held-out sound, each second as training would see it."""
    from augment import Examples # who measures recordings needs no corpus
    with open(os.path.join(os.path.dirname(__file__), "settings.toml"), "rb") as f:
        settings = tomllib.load(f)
    corpus = os.path.join(arguments.held_out, "corpus")
    examples = Examples(corpus, settings["augmentation"], RATE_HZ // 320 * 320, [settings["seed"], 5], held_out=True)
    source, codes = os.path.join(folder, "held_out.wav"), os.path.join(folder, "held_out.npy")
    soundfile.write(source, np.concatenate(examples.batch(1800)), RATE_HZ, subtype="FLOAT")
    run(arguments.ecdc, "encode", source, "-m", arguments.model, "-b", BANDWIDTHS_KBPS[-1], "-q", "-f", "-o", codes)
    return np.load(codes)


def row(name, results):
    print("|", name, "|", " | ".join(f"{a:.3f} / {b:.1f} / {c:.2f}" for a, b, c in results), "|")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ecdc", required=True)
    parser.add_argument("--model", default="default")
    parser.add_argument("--opus", action="store_true")
    parser.add_argument("--held-out", metavar="WORK", help="the folder of train/run")
    parser.add_argument("recordings", nargs="+")
    arguments = parser.parse_args()

    all_codes, means, opus = [], [], []
    print("| STOI / SNR dB / PESQ |", " | ".join(f"{b} kbps" for b in BANDWIDTHS_KBPS), "|")
    print("|" + "---|" * (len(BANDWIDTHS_KBPS) + 1))
    with tempfile.TemporaryDirectory() as folder:
        for path in arguments.recordings:
            source = os.path.join(folder, "source.wav")
            reference = prepare(path, source)
            results = []
            for kbps in BANDWIDTHS_KBPS:
                codes, decoded = through_ecdc(arguments, source, folder, kbps)
                results.append(measures(reference, decoded))
            all_codes.append(codes)
            means.append(results)
            row(os.path.basename(path), results)
            if arguments.opus:
                opus.append([measures(reference, through_opus(source, folder, kbps)) for kbps in OPUS_KBPS])
        codes = held_out_codes(arguments, folder) if arguments.held_out else np.concatenate(all_codes, 1)
    row("mean", np.mean(means, 0))
    if opus:
        print(f"\nOpus, mean at {OPUS_KBPS} kbps:", ["{:.3f} / {:.1f} / {:.2f}".format(*r) for r in np.mean(opus, 0)])
    entropies, unused = [], []
    for book in codes:
        share = np.bincount(book, minlength=1024) / len(book)
        entropies.append(-(share[share > 0] * np.log2(share[share > 0])).sum())
        unused.append(np.mean(share == 0))
    print(f"\nCodes of {codes.shape[1]} frames: entropy per codebook {min(entropies):.2f} ... {max(entropies):.2f} bits "
          f"(mean {np.mean(entropies):.2f}), unused entries {min(unused):.1%} ... {max(unused):.1%}")


if __name__ == "__main__":
    main()
