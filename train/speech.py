"""Speech from Debian's synthesizers: espeak-ng (formants; every language and variant), flite and festival (diphones and
models of real voices, in seven languages). Each passage has its own voice, rate, pitch, and a shift of pitch and formants
together by relabelling the sampling rate."""

import glob
import os
import re
import subprocess
import tempfile

import soundfile
import soxr

RATE_HZ = 24000

FLITE_VOICES = ["kal16", "awb", "rms", "slt"]
FESTIVAL_VOICES = ["kal_diphone", "ked_diphone", "cmu_us_slt_arctic_hts", "upc_ca_ona_hts", "pc_diphone", "lp_diphone",
                   "suo_fi_lj_diphone", "hy_fi_mv_diphone", "czech_dita", "czech_krb", "czech_machac", "czech_ph"]


class Text:
    """Sentences to be spoken: of the licence texts that every Debian has, and of words drawn from a dictionary."""

    def __init__(self):
        text = ""
        for path in sorted(glob.glob("/usr/share/common-licenses/*")):
            with open(path, errors="ignore") as f:
                text += f.read() + "\n\n"
        pieces = (re.sub(r"[^A-Za-z,.?!' ]+", " ", s) for s in re.split(r"(?<=[.?!;])\s+", text))
        pieces = (re.sub(r"\s+", " ", s).strip() for s in pieces)
        self.sentences = sorted({s for s in pieces if 20 < len(s) < 200})
        with open("/usr/share/dict/words") as f:
            self.words = [w for w in f.read().split() if w.isalpha() and w.isascii()]

    def passage(self, rng, n_sentences=3):
        chosen = []
        for _ in range(n_sentences):
            if rng.random() < 0.4:
                chosen.append(self.sentences[rng.integers(len(self.sentences))])
            else:
                words = [self.words[i] for i in rng.integers(len(self.words), size=rng.integers(4, 12))]
                chosen.append(" ".join(words) + rng.choice([".", "?", ",", "!"]))
        return " ".join(chosen)


def espeak_voices():
    """(languages, variants) of the installed espeak-ng."""
    def names(option):
        lines = subprocess.run(["espeak-ng", option], capture_output=True, text=True, check=True).stdout.splitlines()[1:]
        return [line.split() for line in lines]
    languages = [fields[1] for fields in names("--voices")]
    variants = [fields[-1].split("/")[-1] for fields in names("--voices=variant")]
    return languages, variants


class Speaker:
    def __init__(self):
        self.text = Text()
        self.languages, self.variants = espeak_voices()

    def passage(self, rng):
        """A passage at RATE_HZ as float32, or None where the synthesizer yielded nothing."""
        with tempfile.TemporaryDirectory() as folder:
            wav = os.path.join(folder, "passage.wav")
            engine = rng.choice(["espeak", "flite", "festival"], p=[0.35, 0.25, 0.4])
            getattr(self, "_" + engine)(rng, self.text.passage(rng), wav, folder)
            if not os.path.exists(wav) or os.path.getsize(wav) < 4000:
                return None
            samples, rate_hz = soundfile.read(wav, dtype="float32")
        if samples.ndim > 1:
            samples = samples.mean(1)
        return soxr.resample(samples, rate_hz * rng.uniform(0.85, 1.2), RATE_HZ)

    def _espeak(self, rng, text, wav, _):
        language = rng.choice(["en-us", "en-gb", rng.choice(self.languages)])
        voice = f"{language}+{rng.choice(self.variants)}"
        _run("espeak-ng", "-v", voice, "-p", rng.integers(10, 90), "-s", rng.integers(110, 260), "-w", wav, text)

    def _flite(self, rng, text, wav, _):
        _run("flite", "-voice", rng.choice(FLITE_VOICES), "--setf", f"duration_stretch={rng.uniform(0.75, 1.3):.2f}",
             "--setf", f"int_f0_target_mean={rng.integers(75, 250)}", "-t", text, wav)

    def _festival(self, rng, text, wav, folder):
        source = os.path.join(folder, "passage.txt")
        with open(source, "w") as f:
            f.write(text)
        _run("text2wave", "-eval", f"(voice_{rng.choice(FESTIVAL_VOICES)})", "-eval",
             f"(Parameter.set 'Duration_Stretch {rng.uniform(0.8, 1.25):.2f})", source, "-o", wav)


def _run(*words):
    # A voice that chokes on a passage gives no file, which the caller sees.
    subprocess.run([str(w) for w in words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120, check=False)
