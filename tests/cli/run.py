"""Runs the ecdc command, and holds every run to what all of them promise: no signal ends it, no sanitizer
speaks, an error is one line that begins with "ecdc: " and leaves nothing behind."""

import dataclasses
import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("ECDC", ROOT / "build" / "ecdc")).resolve()
TINY = ROOT / "tests" / "data" / "tiny24"  # a small model with stored codes and sound
SPEECH = ROOT / "audio" / "jfk.flac"

SANITIZED = BINARY.exists() and b"__asan_init" in BINARY.read_bytes()
SECONDS = 100  # until a run counts as hung


@dataclasses.dataclass
class Result:
    status: int
    stdout: bytes
    stderr: str

    @property
    def json(self):
        return json.loads(self.stdout)

    @property
    def text(self):
        return self.stdout.decode()


def snapshot(directory):
    """Every path below a directory with what would change if it were written."""
    found = {}
    for folder, folders, files in os.walk(directory):
        for name in folders + files:
            path = Path(folder, name)
            s = path.lstat()
            found[str(path.relative_to(directory))] = (s.st_size, s.st_ino, s.st_mtime_ns if name in files else 0)
    return found


def check_healthy(status, stderr):
    assert status >= 0, f"ended by signal {-status}: {stderr}"
    for word in ("runtime error:", "AddressSanitizer", "LeakSanitizer", "ThreadSanitizer"):
        assert word not in stderr, stderr


class Ecdc:
    """ecdc(...) runs the command in `cwd` and expects it to succeed; ecdc.refuses(...) expects it not to."""

    def __init__(self, cwd, hub):
        self.cwd = Path(cwd)
        self.started = []
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith(("HF_", "XDG_CACHE")) and k not in ("LANG", "LC_ALL")}
        self.env.update(HF_HOME=str(hub), HF_HUB_OFFLINE="1", LC_ALL="C.UTF-8")

    def command(self, args):
        return [str(BINARY), *map(str, args)]

    def run(self, *args, stdin=None, env=None, stdout=subprocess.PIPE):
        p = subprocess.run(self.command(args), cwd=self.cwd, env={**self.env, **(env or {})}, stdout=stdout,
                           stderr=subprocess.PIPE, timeout=SECONDS,
                           **({"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}))
        stderr = p.stderr.decode()
        check_healthy(p.returncode, stderr)
        return Result(p.returncode, p.stdout or b"", stderr)

    def start(self, *args, **settings):
        settings = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **settings}
        self.started.append(subprocess.Popen(self.command(args), cwd=self.cwd, env=self.env, **settings))
        return self.started[-1]

    def end_what_runs(self):
        """After a test that failed halfway."""
        for process in self.started:
            process.kill()
            process.wait()

    def __call__(self, *args, says=(), **settings):
        r = self.run(*args, **settings)
        assert r.status == 0, r.stderr
        for text in [says] if isinstance(says, str) else says:
            assert text in r.stderr
        return r

    def refuses(self, *args, says, status=1, **settings):
        """The run fails with this status and one line that holds these texts, prints no data, writes no file."""
        before = snapshot(self.cwd)
        r = self.run(*args, **settings)
        assert r.status == status, (r.status, r.stderr)
        assert r.stdout == b""
        assert r.stderr.startswith("ecdc: ") and r.stderr.endswith("\n") and r.stderr.count("\n") == 1, r.stderr
        for text in [says] if isinstance(says, str) else says:
            assert str(text) in r.stderr, (text, r.stderr)
        assert snapshot(self.cwd) == before
        return r

    def codes(self, path, *options):
        """The codes of a sound as an array."""
        import numpy
        out = self.cwd / "codes-of.npy"
        self("encode", path, "-o", out, "-f", "-q", *options)
        codes = numpy.load(out)
        out.unlink()
        return codes
