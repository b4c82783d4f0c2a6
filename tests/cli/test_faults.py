"""System calls that fail, are short or are interrupted; signals at any moment; disks that are full: what a command leaves is whole or
absent. A sample of tests/long/test_every_fault.py, which lets every call fail in turn."""

import os
import signal
import subprocess

import pytest

import faults
from faults import bench  # noqa: F401, a fixture
from run import SANITIZED

OUTPUTS = {word for command in faults.COMMANDS.values() for word in command if str(word).startswith("out/")}
SOME = 2 if SANITIZED else 3

every_command = pytest.mark.parametrize("name", faults.COMMANDS)


@every_command
def test_short_reads_and_writes(bench, name):
    bench.expect_unharmed(name, "short")


@every_command
def test_interrupted_reads_and_writes(bench, name):
    bench.expect_unharmed(name, "interrupted")


@every_command
def test_reads_that_fail(bench, name):
    assert any([bench.expect_whole_or_absent(name, "r", n) for n in bench.some(name, "r", SOME)])


@every_command
def test_writes_that_fail(bench, name):
    """None is forgotten: the command says of each that it failed."""
    assert all([bench.expect_whole_or_absent(name, "w", n) for n in bench.some(name, "w", SOME)])


@every_command
def test_completions_that_fail(bench, name):
    assert all([bench.expect_whole_or_absent(name, "c", n) for n in bench.some(name, "c", SOME)])


# ------------------------------------------------------------------------------------------------------ signals --


@every_command
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruptions(bench, name, number):
    for moment in bench.moments(name, 1):
        status, stderr = bench.signal(name, number, moment)
        # before its first line a program is not yet there to listen
        assert status == 0 or (status == 1 and "interrupted" in stderr) or (status == -number and not stderr), (status, stderr)


@pytest.mark.parametrize("name", faults.KILLED)
def test_kills(bench, name):
    for moment in bench.moments(name, 2):
        bench.signal(name, signal.SIGKILL, moment)
        bench.again(name)


# --------------------------------------------------------------------------------------------------- a full disk --


@pytest.fixture
def small_disk(bench):
    """Of one page."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    disk = bench.ecdc.cwd / "disk"
    disk.mkdir(exist_ok=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield disk
    subprocess.run(["umount", disk], check=True)


@every_command
def test_full_disk(bench, small_disk, name):
    whole, _ = bench.reference(name)
    command = [str(word).replace("out", "disk", 1) if word in ("out", *OUTPUTS) else word for word in faults.COMMANDS[name]]
    r = bench.ecdc.run(*command, "-q")
    left = faults.outputs(small_disk)
    if max(map(len, whole.values())) > 4096:
        assert r.status == 1 and "disk/" in r.stderr and os.strerror(faults.errno.ENOSPC) in r.stderr
        bench.check_left(name, left, r.stderr)
    else:
        assert r.status == 0 and left == whole
