"""The quick start of giblet's overview, word for word, and what `import ecdc.giblet` changes."""

import os
import re
import subprocess
import sys

import numpy as np

from files import read_wav
from run import ROOT, SPEECH


def quick_start():
    """The block of README.md that begins with the import."""
    blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), flags=re.S | re.M)
    block, = [b for b in blocks if "from giblet.data.audio import AudioProcessor" in b]
    assert block.startswith("import ecdc.giblet")
    return block


def run_python(code, cwd, **env):
    done = subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, timeout=300,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **env})
    assert done.returncode == 0, done.stderr
    return done


def test_the_quick_start_runs(tmp_path):
    (tmp_path / "data").mkdir()
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=s=64x48:r=5:d=160", "-stream_loop", "-1",
                    "-i", SPEECH, "-t", "160", "-c:v", "mpeg4", "-c:a", "aac", "-f", "mp4", "data/stimuli_Sherlock.m4v"],
                   cwd=tmp_path, check=True)
    done = run_python(quick_start(), tmp_path)
    shape, dtype, codes = done.stdout.splitlines()
    assert (shape, dtype) == ("Shape: (100, 4, 112)", "Dtype: int64")
    low, high = map(int, re.fullmatch(r"Range: \[(\d+), (\d+)\]", codes).groups())
    assert 0 <= low < high <= 1023
    assert done.stderr.count("UserWarning") == 1 and "facebook/encodec_24khz" in done.stderr
    rate, samples = read_wav(tmp_path / "output" / "decoded_audio.wav")
    assert rate == 24000 and len(samples) == 150 * 24000 and np.abs(samples.astype(int)).max() > 3000


def test_giblet_itself_is_left_alone(tmp_path):
    package = tmp_path / "giblet" / "data"
    package.mkdir(parents=True)
    for path in (tmp_path / "giblet" / "__init__.py", package / "__init__.py"):
        path.touch()
    (package / "audio.py").write_text("AudioProcessor = 'its own'\n")
    done = run_python("import ecdc.giblet\nfrom giblet.data.audio import AudioProcessor\nprint(AudioProcessor)", tmp_path)
    assert done.stdout == "its own\n"


def test_all_ways_to_import(tmp_path):
    run_python("import ecdc.giblet, giblet.data.audio, giblet.data\nfrom giblet.data import AudioProcessor, audio\n"
               "import ecdc\nassert AudioProcessor is audio.AudioProcessor is giblet.data.audio.AudioProcessor is ecdc.AudioProcessor\n"
               "assert giblet.data.audio.ENCODEC_AVAILABLE", tmp_path)


def test_what_asks_for_modules_finds_them(tmp_path):
    done = run_python("import importlib.util, pkgutil, ecdc.giblet, giblet\n"
                      "for name in 'giblet', 'giblet.data', 'giblet.data.audio', 'giblet.data.dataset':\n"
                      "    print(importlib.util.find_spec(name).name, importlib.util.find_spec(name).origin)\n"
                      "print(importlib.util.find_spec('giblet.models'), list(pkgutil.walk_packages(giblet.__path__)), giblet)", tmp_path)
    names = [line.split() for line in done.stdout.splitlines()]
    assert names[:4] == [[n, "ecdc.giblet"] for n in ("giblet", "giblet.data", "giblet.data.audio", "giblet.data.dataset")]
    assert names[4][:2] == ["None", "[]"]


def test_the_dataset_of_the_overview(tmp_path):
    """"Usage in Dataset", as it stands; what it prints there, (1, 112), are 4 codebooks at 3 kbps."""
    done = run_python("""
from ecdc.testing import make_study
make_study('data', n_trs=10)

import ecdc.giblet
from giblet.data import MultimodalDataset

# Dataset automatically uses EnCodec by default
dataset = MultimodalDataset(
    data_dir='data/',
    subjects='all',
    split='train',
    apply_hrf=True
)

# Get a sample
sample = dataset[0]
print(sample['audio'].shape)  # (1, 112) - EnCodec codes
import giblet.data.dataset
assert giblet.data.dataset.MultimodalDataset is MultimodalDataset is ecdc.MultimodalDataset
""", tmp_path)
    assert "4, 112" in done.stdout
