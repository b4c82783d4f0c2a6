"""Writes docs/QUALITY.md: measures at each bandwidth, Opus and mel beside them, sizes on disk, and the claims of giblet's overview
held against them. Started by bench/quality. With names of recordings: prints the document for these.

Sound goes through the `ecdc` command and ffmpeg, measures come from train/evaluate.py: pystoi, pesq (wide-band, at 16 kHz), SNR and SI-SDR
in numpy.
"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import soundfile
import soxr

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "train"), str(ROOT / "bench")]
from evaluate import BANDWIDTHS_KBPS, OPUS_KBPS, RATE_HZ, all_measures, prepare, run, through_ecdc, through_opus  # noqa: E402
from report import table  # noqa: E402

ECDC = ROOT / "build" / "ecdc"
PUBLISHED = "facebook/encodec_24khz"
SOUNDS = {".flac", ".wav", ".mp3", ".opus", ".ogg", ".m4a"}
FILM_TRS, SAMPLE_TRS = 1976, 40  # the film of the overview; what is measured, since every row has the same size
MEL, MEL_AS_GIBLET = "mel + Griffin-Lim, continuous", "mel + Griffin-Lim, joined as giblet does"

# What giblet's overview states, for facebook/encodec_24khz; on which sound it does not say.
SEED_STOI = {1.5: 0.65, 3: 0.74, 6: 0.83, 12: 0.90, 24: 0.94}
SEED_PESQ, SEED_SNR_DB = 2.66, 5.94  # at 3 kbps
SEED_MEL_STOI = (0.40, 0.50)
SEED_MB = {1.5: 0.9, 3: 1.7, 6: 3.4, 12: 6.8, 24: 13.6}
SEED_MEL_MB = 110


def info(model):
    done = subprocess.run([ECDC, "info", model, "--json"], capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else None


def through_mel(source, folder, *options):
    mel, wav = folder / "mel.npy", folder / "mel.wav"
    run(ECDC, "features", source, "--mode", "mel", "-q", "-f", "-o", mel)
    run(ECDC, "reconstruct", mel, *options, "--float", "-q", "-f", "-o", wav)
    decoded, rate = soundfile.read(wav, dtype="float64")
    return soxr.resample(decoded, rate, RATE_HZ)


def measure(path, models, folder):
    """{(system, kbps or None): measures} of one recording."""
    source = folder / "source.wav"
    reference = prepare(path, source)
    found = {}
    for model in models:
        for kbps in BANDWIDTHS_KBPS:
            _, decoded = through_ecdc(SimpleNamespace(ecdc=ECDC, model=model), source, folder, kbps)
            found[model, kbps] = all_measures(reference, decoded)
    for kbps in OPUS_KBPS:
        found["Opus", kbps] = all_measures(reference, through_opus(source, folder, kbps))
    found[MEL, None] = all_measures(reference, through_mel(source, folder))
    found[MEL_AS_GIBLET, None] = all_measures(reference, through_mel(source, folder, "--as-giblet"))
    return found


def sizes(recording, folder):
    """{(kbps or "mel", dtype): bytes of FILM_TRS}: a file of SAMPLE_TRS, its rows scaled, its header counted once."""
    sample = folder / "sample.wav"
    run("ffmpeg", "-v", "error", "-y", "-stream_loop", "-1", "-i", recording, "-t", SAMPLE_TRS * 1.5, "-ac", 1, "-ar", RATE_HZ, sample)
    found = {}
    jobs = [(kbps, dtype, ["-b", kbps, "--dtype", dtype]) for kbps in BANDWIDTHS_KBPS for dtype in ("int16", "int64")]
    for key, dtype, options in [*jobs, ("mel", "float32", ["--mode", "mel"])]:
        out = folder / "size.npy"
        run(ECDC, "features", sample, "--tr", 1.5, *options, "-q", "-f", "-o", out)
        array = np.load(out, mmap_mode="r")
        assert len(array) == SAMPLE_TRS and array.dtype == dtype
        rows = array.nbytes
        found[key, dtype] = (out.stat().st_size - rows) + rows * FILM_TRS // SAMPLE_TRS
    return found


# -------------------------------------------------------------------------------------------------- document --


def figures(m):
    return [f"{m['STOI']:.2f}", f"{m['ESTOI']:.2f}", f"{m['PESQ']:.2f}", f"{m['SNR, dB']:.1f}", f"{m['SI-SDR, dB']:.1f}"]


def results_table(found, models):
    head = ["what made the sound", "kbps", "STOI", "ESTOI", "PESQ", "SNR, dB", "SI-SDR, dB"]
    rows = [[names(models)[system], f"{kbps:g}" if kbps else "", *figures(m)] for (system, kbps), m in found.items()]
    return table(head, rows)


def names(models):
    return {**{m: f"ecdc, `{about['name']}`" + (" (the default model)" if m == "default" else " (the published model)")
               for m, about in models.items()},
            "Opus": "Opus (libopus)", MEL: "`ecdc features --mode mel`, `reconstruct`", MEL_AS_GIBLET: "the same, `--as-giblet`"}


def seed_table(mean, models):
    """The overview's STOI beside what was measured."""
    head = ["kbps", "overview, facebook/encodec_24khz", *(names(models)[m] for m in models), "Opus (libopus)"]
    rows = [[f"{k:g}", f"{SEED_STOI[k]:.2f}", *(f"{mean[m, k]['STOI']:.2f}" for m in models),
             f"{mean['Opus', k]['STOI']:.2f}" if ("Opus", k) in mean else ""] for k in BANDWIDTHS_KBPS]
    return table(head, rows, left=0)


def mega(n):
    return f"{n / 1e6:.2f} MB ({n / 2**20:.2f} MiB)"


def sizes_table(found):
    rows = [[f"codes at {k:g} kbps", mega(found[k, "int16"]), mega(found[k, "int64"]), f"{SEED_MB[k]:g} MB"] for k in BANDWIDTHS_KBPS]
    rows.append(["mel, float32", mega(found["mel", "float32"]), "", f"{SEED_MEL_MB} MB"])
    return table(["1 976 TRs of 1.5 s", "int16 (mel: float32)", "int64 (the default)", "overview"], rows)


def verdicts(mean, found, models):
    """(claim, verdict): by what was measured here, and plainly where nothing was."""
    published = PUBLISHED in models
    who, it = (PUBLISHED, "the published model") if published else ("default", "the default model, which is another one,")
    stoi = [mean[who, k]["STOI"] for k in BANDWIDTHS_KBPS]
    listed = " / ".join(f"{x:.2f}" for x in stoi)
    reached = [f"{k:g}" for k, x in zip(BANDWIDTHS_KBPS, stoi) if x >= SEED_STOI[k] - 0.005]
    here = "Measured with it here" if published else "Not checked: its weights are not on this machine"
    three = mean[who, 3]
    continuous, joined = mean[MEL, None]["STOI"], mean[MEL_AS_GIBLET, None]["STOI"]
    low, high = SEED_MEL_STOI
    book = found[1.5, "int64"] / 2
    shares = [100 * (1 - found[3, d] / found["mel", "float32"]) for d in ("int16", "int64")]
    rows = [
        ("STOI 0.65 / 0.74 / 0.83 / 0.90 / 0.94 at 1.5 / 3 / 6 / 12 / 24 kbps",
         f"{here}; {it} has {listed} on these recordings, as much or more at {', '.join(reached) + ' kbps' if reached else 'no bandwidth'}"),
        ("PESQ 2.66 and SNR 5.94 dB at 3 kbps",
         f"{here}; {it} has {three['PESQ']:.2f} and {three['SNR, dB']:.2f} dB"),
        ("Mel + Griffin-Lim: STOI 0.40 to 0.50, “garbled, unintelligible”",
         f"{joined:.2f} where rows are joined with their padding, as giblet does; {continuous:.2f} without the padding. "
         + ("The claim is one about the padding, not about mel spectrograms" if continuous > high else "It holds")),
        ("“2–3x improvement in STOI” over mel",
         f"{mean[who, 3]['STOI'] / joined:.1f} times that of the joined rows, {mean[who, 3]['STOI'] / continuous:.1f} times that of the "
         f"continuous spectrogram, at 3 kbps, {'the published' if published else 'the default'} model"),
        ("~1.7 MB at 3 kbps, as the other sizes of its table",
         f"{found[3, 'int16'] / 1e6:.2f} MB in int16, so the table holds for int16; int64, which giblet stores, takes "
         f"{found[3, 'int64'] / 1e6:.2f} MB"),
        ("8 × 112 = 896 values per TR, ~1.7 MB",
         f"Eight codebooks (6 kbps) are {found[6, 'int16'] / 1e6:.2f} MB in int16, {found[6, 'int64'] / 1e6:.2f} MB in int64. Does not hold"),
        ("1 976 × 1 × 112 codes (int64), ~1.7 MB", f"One codebook in int64 is {book / 1e6:.2f} MB, so this holds, but it is 0.75 kbps, not 3"),
        ("Mel: ~110 MB", f"{found['mel', 'float32'] / 1e6:.0f} MB: 2048 × 65 float32 per TR. Does not hold"),
        ("98 % smaller than mel", f"{shares[0]:.1f} % in int16, {shares[1]:.1f} % in int64 at 3 kbps. "
         + ("Holds, and is too modest" if min(shares) > 98 else "Holds" if min(shares) >= 97.5 else "Does not hold")),
    ]
    return table(["the overview says", "measured"], rows, left=2)


def average(runs):
    return {key: {name: float(np.mean([run[key][name] for run in runs])) for name in runs[0][key]} for key in runs[0]}


def document(recordings, runs, found_sizes, models):
    mean = average(runs)
    default = models["default"]
    parts = [
        "# What is kept of the sound",
        "`bench/quality` measures and writes this page; nothing in it is written by hand. The measures are pystoi's STOI and ESTOI (up to 1), "
        "PESQ (package `pesq`, wide-band, 16 kHz, up to 4.64), SNR and SI-SDR, each against the recording mono at 24 kHz, which is what all "
        "are given. Opus is `ffmpeg -c:a libopus -b:a 6k` and `12k`; its rate is the one asked for.",
        f"The default model is `{default['name']}`, SHA-256 `{default['sha256']}`. "
        + (f"The published model, `{PUBLISHED}`, was in the cache and is measured, too." if PUBLISHED in models else
           f"The published model, `{PUBLISHED}`, was not on the machine that wrote this page: no row is made by it. After "
           f"`ecdc model fetch {PUBLISHED}`, `bench/quality` measures it beside the default one."),
    ]
    for path, one in zip(recordings, runs):
        parts += [f"## {Path(path).name}", results_table(one, models)]
    if len(runs) > 1:
        parts += [f"## Mean of the {len(runs)}", results_table(mean, models)]
    parts += [
        "SNR and SI-SDR of mel say nothing: Griffin-Lim invents the phases. PESQ finds shifted passages again before it compares, STOI does "
        "not: hence the two figures of joined rows.",
        "## STOI beside the overview's",
        "The overview is giblet-responses' *EnCodec Audio Integration – Overview*. Its figures are for the published model, on a sound that it "
        "does not name.",
        seed_table(mean, models),
        "## On disk",
        f"Files of {SAMPLE_TRS} TRs as `ecdc features` writes them, rows times {FILM_TRS}/{SAMPLE_TRS}, the header once: every row has the same "
        "size. The overview's column is its table; it does not say which type.",
        sizes_table(found_sizes),
        "## Which claims hold",
        verdicts(mean, found_sizes, models),
    ]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def main():
    named = [Path(p) for p in sys.argv[1:]]
    recordings = named or sorted(p for p in (ROOT / "audio").iterdir() if p.suffix in SOUNDS)
    models = {"default": info("default")}
    if about := info(PUBLISHED):
        models[PUBLISHED] = about
    with tempfile.TemporaryDirectory(prefix="ecdc-quality-") as folder:
        folder = Path(folder)
        runs = [measure(path, models, folder) for path in recordings]
        text = document(recordings, runs, sizes(recordings[0], folder), models)
    if named:
        print(text, end="")
    else:
        (ROOT / "docs" / "QUALITY.md").write_text(text)
        print("written: docs/QUALITY.md")


if __name__ == "__main__":
    main()
