"""Every read, every write and every completion of every command fails once; every read of sound in many formats; 200 kills."""

import signal
import subprocess

import pytest

import faults
from faults import bench  # noqa: F401, a fixture

KILLS = 200


@pytest.mark.parametrize("kind", faults.KINDS)
@pytest.mark.parametrize("name", faults.COMMANDS)
def test_every_call_fails_once(bench, name, kind):
    failed = [bench.expect_whole_or_absent(name, kind, n) for n in bench.some(name, kind, None)]
    print(f"{name}, {faults.KINDS[kind][0]}: {len(failed)} calls, {sum(failed)} ended the command")
    assert all(failed) if kind in "wc" else any(failed)


@pytest.mark.parametrize("form", faults.FORMATS)
def test_no_failed_read_shortens_a_sound(bench, sounds, monkeypatch, form):
    made = subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", "-i", sounds["talk.wav"], *faults.FORMATS[form],
                           bench.ecdc.cwd / f"in.{form}"], capture_output=True)
    if made.returncode:
        pytest.skip(made.stderr.decode())
    monkeypatch.setitem(faults.COMMANDS, form, ("encode", f"in.{form}", "-o", "out/x.npy"))
    failed = [bench.expect_whole_or_absent(form, "r", n) for n in bench.some(form, "r", None)]
    print(f"{form}: {len(failed)} reads, {sum(failed)} ended the command")
    assert any(failed)


@pytest.mark.parametrize("name", faults.KILLED)
def test_kills(bench, name):
    ended = 0
    for moment in bench.moments(name, KILLS // len(faults.KILLED)):
        ended += bench.signal(name, signal.SIGKILL, moment)[0] == -signal.SIGKILL
        bench.again(name)
    print(f"{name}: {ended} of {KILLS // len(faults.KILLED)} runs were killed before their end")
    assert ended > 0
