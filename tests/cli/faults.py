"""Runs of the command under faults.c (system calls that fail, are short or are interrupted), and runs that a signal ends; and what
must be left then."""

import errno
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

import files
from run import SANITIZED, TINY, check_healthy
from scans import write_nifti

KINDS = {"r": ("read", errno.EIO), "w": ("write", errno.ENOSPC), "c": ("completion", errno.EIO)}
TINY48 = TINY.parent / "tiny48"

# Everything that these write lies in out/.
COMMANDS = {
    "encode npy": ("encode", "in.flac", "-o", "out/x.npy", "-m", TINY),
    "encode ecdc": ("encode", "in.flac", "-o", "out/x.ecdc"),
    "encode chunks": ("encode", "in48.wav", "-o", "out/x.npz", "-m", TINY48, "-b", "6"),
    "encode torch": ("encode", "in.flac", "-o", "out/x.npy", "-m", "torch", "-b", "1"),
    "decode npy": ("decode", "in.npy", "-o", "out/x.wav", "-m", TINY),
    "decode ecdc": ("decode", "in.ecdc", "-o", "out/x.wav", "-r"),
    "decode chunks": ("decode", "in.npz", "-o", "out/x.wav", "-m", TINY48),
    "features": ("features", "in.mp4", "-o", "out/x.npy", "-m", TINY),
    "features mel": ("features", "in.flac", "-o", "out/x.npy", "--mode", "mel"),
    "reconstruct": ("reconstruct", "rows.npy", "-o", "out/x.wav", "-m", TINY),
    "report": ("report", "in.flac", "-o", "out/x.html", "-m", TINY),
    "fmri mask": ("fmri", "mask", "a.nii.gz", "b.nii.gz", "-o", "out/x.nii.gz"),
    "fmri extract": ("fmri", "extract", "a.nii.gz", "--mask", "mask.nii.gz", "-o", "out/x.npy"),
    "fmri restore": ("fmri", "restore", "series.npy", "--mask", "mask.nii.gz", "-o", "out/x.nii.gz"),
    "dataset": ("dataset", "build", "data", "--out", "out", "-m", TINY),
    "batch": ("batch", "films", "-o", "out", "-m", TINY, "--jobs", "1"),
    "convert": ("model", "convert", TINY, "out/x", "--format", "th"),
}
# Sound in as many formats as FFmpeg's command can make here; the arguments of their encoders.
FORMATS = {"mp3": ["-b:a", "64k"], "aac": [], "ogg": ["-c:a", "libvorbis"], "opus": ["-c:a", "libopus"], "mkv": ["-c:a", "aac"],
           "ts": ["-c:a", "aac"], "wma": ["-c:a", "wmav2"], "wav": [], "ac3": [], "mka": ["-c:a", "libopus"], "aiff": [], "au": [],
           "flv": ["-c:a", "mp3", "-ar", "44100"], "avi": ["-c:a", "mp3"], "caf": [], "m4a": []}
# Of these one is killed.
KILLED = ("encode ecdc", "features", "dataset", "batch", "report")
# Kept between runs, and no outputs.
MARKERS = re.compile(r"\..*\.lock")


def make_inputs(ecdc, sounds):
    cwd = ecdc.cwd
    for name, command in (("in.flac", ["-i", sounds["talk.wav"]]),
                          ("in.mp4", ["-f", "lavfi", "-i", "testsrc=size=64x48:rate=5", "-i", sounds["talk.wav"], "-shortest",
                                      "-c:v", "mpeg4", "-c:a", "aac"])):
        subprocess.run(["ffmpeg", "-v", "error", "-nostdin", *command, cwd / name], check=True)
    files.write_wav(cwd / "in48.wav", np.load(TINY48 / "input.npy")[:99000], 48000)
    shutil.copytree(TINY.parent / "torch", cwd / "torch")
    ecdc("encode", "in.flac", "-o", "in.npy", "-m", TINY, "-q")
    ecdc("encode", "in.flac", "-o", "in.ecdc", "-q")
    ecdc("encode", "in48.wav", "-o", "in.npz", "-m", TINY48, "-b", "6", "-q")
    ecdc("features", "in.mp4", "-o", "rows.npy", "-m", TINY, "-q")
    (cwd / "data" / "sherlock_nii").mkdir(parents=True)
    for i, name in enumerate("ab"):
        scan = np.random.default_rng(i).integers(900, 1100, (6, 5, 4, 12)).astype(np.int16)
        write_nifti(cwd / f"{name}.nii.gz", scan)
        write_nifti(cwd / "data" / "sherlock_nii" / f"sherlock_movie_s{i + 1}.nii.gz", scan)
    shutil.copy(cwd / "in.mp4", cwd / "data" / "stimuli_film.mp4")
    ecdc("fmri", "mask", "a.nii.gz", "b.nii.gz", "-o", "mask.nii.gz", "-q")
    ecdc("fmri", "extract", "a.nii.gz", "--mask", "mask.nii.gz", "-o", "series.npy", "-q")
    (cwd / "films").mkdir()
    for name in "one.flac", "two.flac":
        shutil.copy(cwd / "in.flac", cwd / "films" / name)


def outputs(directory, temporary=True):
    """The files below a directory, without what tells of times in them; temporary ones, too."""
    found = {}
    for path in sorted(p for p in directory.rglob("*") if p.is_file() and not MARKERS.fullmatch(p.name)):
        if not temporary and path.name.startswith("."):
            continue
        data = path.read_bytes()
        if path.name == "ecdc-batch.tsv":
            data = re.sub(rb"[0-9]+\.[0-9]+", b"", data)
        found[str(path.relative_to(directory))] = data
    return found


class Faults:
    """run(FAULT, ARGS) runs the command in a fresh out/; it tells the status, what was said, what is left, and how often what was
    called: reads, writes, completions, and those tampered with."""

    def __init__(self, ecdc, directory):
        self.ecdc = ecdc
        self.out = ecdc.cwd / "out"
        self.counts = directory / "counts"
        self.library = directory / "faults.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-Wall", "-o", self.library, Path(__file__).with_name("faults.c")], check=True)
        self.whole = {}

    def fresh(self):
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir()

    def run(self, fault, args):
        self.fresh()
        env = {**self.ecdc.env, "LD_PRELOAD": str(self.library), "FAULT": fault, "FAULT_COUNT": str(self.counts)}
        if SANITIZED:
            env["ASAN_OPTIONS"] = "verify_asan_link_order=0:detect_leaks=0"
        p = subprocess.run(self.ecdc.command(args) + ["-q"], cwd=self.ecdc.cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True,
                           timeout=100)
        stderr = p.stderr.decode()
        if p.returncode == 99:
            pytest.skip(stderr)
        check_healthy(p.returncode, stderr)
        return p.returncode, stderr, outputs(self.out), struct.unpack("<4Q", self.counts.read_bytes())

    def reference(self, name):
        if name not in self.whole:
            status, stderr, left, counts = self.run("count", COMMANDS[name])
            assert status == 0 and left and min(counts[:3]) > 0, (stderr, counts)
            self.whole[name] = left, counts
        return self.whole[name]

    def expect_unharmed(self, name, fault):
        whole, _ = self.reference(name)
        status, stderr, left, counts = self.run(fault, COMMANDS[name])
        assert (status, stderr) == (0, "") and counts[3] > 0
        assert left == whole

    def expect_whole_or_absent(self, name, kind, n):
        """The nth call of a kind fails. Returns whether the command did."""
        whole, _ = self.reference(name)
        number = KINDS[kind][1]
        status, stderr, left, counts = self.run(f"{kind}:{n}:{number}", COMMANDS[name])
        where = f"{name}, {KINDS[kind][0]} {n}: {stderr}"
        assert counts[3] == 1, where
        if status == 0:
            assert left == whole, where
            return False
        assert status == 1 and stderr.startswith("ecdc: "), where
        assert os.strerror(number) in stderr, where
        self.check_left(name, left, where)
        return True

    def check_left(self, name, left, where):
        """Nothing but whole files; where an array is there, what describes it is, too."""
        whole, _ = self.reference(name)
        if name == "batch":  # the table tells of files that failed
            left.pop("ecdc-batch.tsv", None)
        assert left.items() <= whole.items(), (where, sorted(left))
        for array in (k for k in left if k.endswith(".npy")):
            for beside in (array[:-4] + ".json", array[:-4] + ".tsv"):
                assert beside in left or beside not in whole, (where, sorted(left))

    def moments(self, name, n):
        """Random moments of a run, from before its beginning to behind its end."""
        self.reference(name)
        self.fresh()
        begin = time.monotonic()
        self.ecdc(*COMMANDS[name], "-q")
        took = time.monotonic() - begin
        return [random.Random(f"{name} {i}").uniform(0, 1.1 * took) for i in range(n)]

    def signal(self, name, number, after_s):
        """Ends a run by a signal; what it leaves is checked. Returns (status, stderr); SIGKILL may leave temporary files."""
        self.reference(name)
        self.fresh()
        p = self.ecdc.start(*COMMANDS[name], "-q")
        try:
            p.wait(after_s)
        except subprocess.TimeoutExpired:
            p.send_signal(number)
        _, stderr = p.communicate(timeout=100)
        self.check_left(name, outputs(self.out, temporary=number != signal.SIGKILL), (name, number, after_s, stderr))
        return p.returncode, stderr.decode()

    def again(self, name):
        """The same command over what is left."""
        args = COMMANDS[name] if name in ("dataset", "batch") else (*COMMANDS[name], "-f")
        self.ecdc(*args, "-q")
        left, whole = outputs(self.out, temporary=name in ("dataset", "batch")), dict(self.reference(name)[0])
        if name == "batch":  # the table tells what was kept
            assert left.pop("ecdc-batch.tsv") and whole.pop("ecdc-batch.tsv")
        assert left == whole, (name, sorted(left))

    def some(self, name, kind, most):
        """Numbers of calls of a kind, `most` of them (None: all), with the first and the last."""
        n = self.reference(name)[1]["rwc".index(kind)]
        return range(n) if most is None or n <= most else sorted({round(i * (n - 1) / (most - 1)) for i in range(most)})


@pytest.fixture(scope="module")
def bench(tmp_path_factory, ecdc_once, sounds):
    directory = tmp_path_factory.mktemp("faults")
    (directory / "in").mkdir()
    ecdc = type(ecdc_once)(directory / "in", ecdc_once.env["HF_HOME"])
    make_inputs(ecdc, sounds)
    return Faults(ecdc, directory)
