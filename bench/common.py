"""What the parts share: the run's settings, processes with their time and memory, sounds, statistics.

A process that is started inherits the peak memory of the one that starts it, so this one has to stay small: here, in main.py and in
the parts there is the standard library, and numpy where arrays are compared. The peers live in processes of their own (worker.py).
"""
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ECDC = ROOT / "build" / "ecdc"
TOOLS = ROOT / "build" / "bench"
RATE = 24000
KBPS = 3


class Failed(Exception):
    """A process that should have succeeded did not."""


@dataclass
class Finished:
    wall_s: float
    cpu_s: float  # of all processors, the system's included
    peak_mb: float
    stdout: str

    @property
    def json(self):
        return json.loads(self.stdout)


def run(*command, feed=None):
    """Runs a command to its end. `feed` yields pieces of bytes for its standard input."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as messages:
        start = time.perf_counter()
        process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE if feed else subprocess.DEVNULL,
                                   stdout=out, stderr=messages)
        try:
            for piece in feed or ():
                process.stdin.write(piece)
            if feed:
                process.stdin.close()
        except BrokenPipeError:
            pass  # its exit status says why
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        messages.seek(0)
        if process.returncode:
            raise Failed(f"{' '.join(map(str, command))}: {messages.read().decode(errors='replace').strip()[-1000:]}")
        return Finished(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, out.read().decode(errors="replace"))


def ecdc(*args, feed=None):
    return run(ECDC, *args, feed=feed)


def spread(values):
    """What is kept of repeated measurements."""
    return {"median": statistics.median(values), "low": min(values), "high": max(values), "values": list(values)}


class Run:
    """One run of the measurements: its settings, its places, and what it prints."""

    def __init__(self, quick, repeats, cache, work):
        self.quick, self.repeats, self.cache, self.work = quick, repeats, Path(cache), Path(work)
        self.cores = len(os.sched_getaffinity(0))
        self.threads = [n for n in (1, 2) if n <= self.cores]
        self.model = self.work / "encodec_24khz"
        ecdc("model", "convert", "random:encodec_24khz", self.model, "-q")
        with open(self.model / "model.safetensors", "rb") as weights:  # in pieces: this process has to stay small
            self.model_id = hashlib.file_digest(weights, "sha256").hexdigest()[:12]

    def pick(self, full, quick):
        return quick if self.quick else full

    def say(self, text):
        print(text, flush=True)

    def has_bf16(self):
        """Whether this ecdc computes in bf16 on this machine; else the reason."""
        try:
            ecdc("bench", "-m", "default", "--precision", "bf16", "--seconds", "0.1", "--repeats", "1")
        except Failed as e:
            return False, str(e).rpartition("ecdc: ")[2]
        return True, ""

    def sound(self, seconds):
        """A mono WAV at 24 kHz, 16 bits: the recording, again and again."""
        path = self.work / f"speech-{seconds:g}s.wav"
        if not path.exists():
            run("ffmpeg", "-v", "error", "-nostdin", "-stream_loop", "-1", "-i", ROOT / "audio" / "jfk.flac", "-t", seconds,
                "-ac", "1", "-ar", RATE, "-c:a", "pcm_s16le", path)
        return path

    def bench(self, *args, repeats=1):
        """ecdc bench on the full-size model."""
        return ecdc("bench", "-m", self.model, "-b", KBPS, "--repeats", repeats, "--json", *args).json

    def fma_peak(self):
        return run(TOOLS / "fma_peak").json


def log(text):
    print(text, file=sys.stderr, flush=True)
