"""Outputs are whole or not there: existing files, places that cannot be written, full disks, interruptions."""

import os
import pty
import shutil
import signal
import stat
import struct
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import files
from run import SANITIZED, SECONDS, TINY, check_healthy, snapshot

COMMANDS = {  # name of the output: the run without -o
    "out.npy": ("encode", "in.wav"), "out.ecdc": ("encode", "in.wav"), "rows.npy": ("features", "in.wav", "--partial"),
    "out.wav": ("decode", "in.npy"), "sound.wav": ("reconstruct", "in-rows.npy"),
}


@pytest.fixture
def inputs(ecdc, sounds):
    shutil.copy(sounds["short.wav"], ecdc.cwd / "in.wav")
    ecdc("encode", "in.wav", "-o", "in.npy", "-m", TINY, "-q")
    ecdc("features", "in.wav", "-o", "in-rows.npy", "-m", TINY, "-q", "--partial")
    return ecdc


every_command = pytest.mark.parametrize("output, command", COMMANDS.items(), ids=[f"{c[0]} {o}" for o, c in COMMANDS.items()])


# ---------------------------------------------------------------------------------------------- existing files --


@every_command
def test_existing_file_is_kept(inputs, output, command):
    (inputs.cwd / output).write_text("precious")
    inputs.refuses(*command, "-o", output, "-m", TINY, says=f"{output}: exists already (-f overwrites it)")
    assert (inputs.cwd / output).read_text() == "precious"
    inputs(*command, "-o", output, "-m", TINY, "-f", "-q")
    assert (inputs.cwd / output).stat().st_size > 100


def test_existing_files_beside_features_are_kept(inputs):
    for name in "rows.tsv", "rows.json":
        (inputs.cwd / name).write_text("precious")
        inputs.refuses("features", "in.wav", "-o", "rows.npy", "-m", TINY, "--partial", says=f"{name}: exists already")
        (inputs.cwd / name).unlink()
    (inputs.cwd / "rows.tsv").write_text("old")
    inputs("features", "in.wav", "-o", "rows.npy", "-m", TINY, "--partial", "-f", "-q")
    assert (inputs.cwd / "rows.tsv").read_text().startswith("tr_index\t")


@every_command
def test_failed_run_with_overwriting_keeps_the_old_file(inputs, output, command):
    (inputs.cwd / output).write_text("precious")
    (inputs.cwd / command[1]).write_bytes(b"no such thing")
    inputs.refuses(*command, "-o", output, "-m", TINY, "-f", says=command[1])
    assert (inputs.cwd / output).read_text() == "precious"


def test_rights_and_links(inputs):
    inputs("encode", "in.wav", "-o", "fresh.npy", "-m", TINY)
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((inputs.cwd / "fresh.npy").stat().st_mode) == 0o666 & ~umask
    (inputs.cwd / "real.npy").write_text("old")
    (inputs.cwd / "real.npy").chmod(0o640)
    (inputs.cwd / "link.npy").symlink_to("real.npy")
    inputs("encode", "in.wav", "-o", "link.npy", "-m", TINY, "-f")
    assert (inputs.cwd / "link.npy").is_symlink()
    assert stat.S_IMODE((inputs.cwd / "real.npy").stat().st_mode) == 0o640
    assert (inputs.cwd / "real.npy").read_bytes() == (inputs.cwd / "fresh.npy").read_bytes()


def test_link_to_nothing(inputs):
    (inputs.cwd / "link.npy").symlink_to("nothing.npy")
    inputs.refuses("encode", "in.wav", "-o", "link.npy", "-m", TINY, says="link.npy: exists already")


@pytest.mark.parametrize("args", [("encode", "in.wav", "-o", "in.wav", "--format", "npy"),
                                  ("features", "in.wav", "-o", "./in.wav", "--format", "npy"),
                                  ("decode", "in.npy", "-o", "in.npy", "--format", "wav"),
                                  ("reconstruct", "in.npy", "-o", "same.npy", "--format", "wav")])
def test_output_over_the_input(inputs, args):
    os.link(inputs.cwd / "in.npy", inputs.cwd / "same.npy")
    inputs.refuses(*args, "-m", TINY, "-f", status=2, says="is the input: give the output another name")


# ------------------------------------------------------------------------------------------------------ places --


@every_command
def test_places_that_cannot_be_written(inputs, output, command):
    inputs.refuses(*command, "-o", f"no/where/{output}", "-m", TINY,
                   says=f"no/where/{output}: the directory no/where does not exist")
    inputs.refuses(*command, "-o", f"in.wav/{output}", "-m", TINY, says="in.wav")
    (inputs.cwd / f"folder-{output}").mkdir()
    inputs.refuses(*command, "-o", f"folder-{output}", "-m", TINY, says=f"folder-{output}: is a directory")
    form = output.rpartition(".")[2]
    inputs.refuses(*command, "-o", f"folder-{output}/", "--format", form, "-m", TINY, says="is a directory")
    inputs.refuses(*command, "-o", f"new-{output}/", "--format", form, "-m", TINY, says="names a directory, not a file")
    inputs.refuses(*command, "-o", "", "--format", form, "-m", TINY, says="empty name")
    inputs.refuses(*command, "-o", f"/proc/{output}", "-m", TINY, says="no file can be created in the directory /proc")


@every_command
@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_directory_without_the_right_to_write(inputs, output, command):
    (inputs.cwd / "locked").mkdir(0o555)
    inputs.refuses(*command, "-o", f"locked/{output}", "-m", TINY,
                   says=["no file can be created in the directory locked", "Permission denied"])


@every_command
def test_full_device(inputs, output, command):
    inputs.refuses(*command, "-o", "/dev/full", "--format", output.rpartition(".")[2], "-m", TINY,
                   says="/dev/full: No space left on device")


@pytest.fixture
def small_disk(inputs):
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    disk = inputs.cwd / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_full_disk(inputs, small_disk, sounds):
    talk = sounds["talk.wav"]
    inputs("encode", talk, "-o", "talk.npy", "-m", TINY, "-b", "6")
    inputs("features", talk, "-o", "talk-rows.npy", "-m", TINY, "-b", "6")
    for args in (("encode", talk, "-o", "disk/out.npy", "-b", "6"), ("features", talk, "-o", "disk/rows.npy", "-b", "6"),
                 ("decode", "talk.npy", "-o", "disk/out.wav"), ("reconstruct", "talk-rows.npy", "-o", "disk/out.wav")):
        inputs.refuses(*args, "-m", TINY, says=["disk/", "No space left on device"])
    (small_disk / "filler").write_bytes(bytes(12288))
    inputs.refuses("encode", talk, "-o", "disk/out.ecdc", "-b", "6", "-m", TINY, says=["disk/out.ecdc", "No space left on device"])
    inputs.refuses("model", "convert", TINY, "disk/model", says=["disk/model/", "No space left on device"])
    assert [p.name for p in small_disk.iterdir()] == ["filler"]


# ------------------------------------------------------------------------------------------------------- pipes --


def test_named_pipe(inputs):
    os.mkfifo(inputs.cwd / "pipe.npy")
    got = []
    reader = threading.Thread(target=lambda: got.append((inputs.cwd / "pipe.npy").read_bytes()))
    reader.start()
    inputs("encode", "in.wav", "-o", "pipe.npy", "-m", TINY)
    reader.join(SECONDS)
    assert got == [(inputs.cwd / "in.npy").read_bytes()]
    assert stat.S_ISFIFO((inputs.cwd / "pipe.npy").stat().st_mode)


def test_reader_that_goes_away(inputs, sounds):
    ends = os.pipe()
    os.close(ends[0])
    inputs("encode", sounds["talk.wav"], "-o", "talk.npy", "-m", TINY)
    for args in (("encode", "in.wav", "-o", "-", "--format", "npy"), ("decode", "talk.npy", "-o", "-", "--format", "wav")):
        r = inputs.run(*args, "-m", TINY, stdout=ends[1])
        assert r.status == 1 and r.stderr.startswith("ecdc: standard output: Broken pipe")
    r = inputs.run("info", TINY, "--json", stdout=ends[1])
    assert r.status == 1 and r.stderr == "ecdc: standard output: Broken pipe\n"
    os.close(ends[1])


def test_printing_to_a_full_device(inputs):
    with open("/dev/full", "wb") as full:
        for args in ("info", "in.wav"), ("info", TINY, "--json"), ("--version",), ("--help",), ("encode", "--help"), \
                ("model", "list"), ("compare", "in.wav", "in.wav"):
            r = inputs.run(*args, stdout=full)
            assert (r.status, r.stderr) == (1, "ecdc: standard output: No space left on device\n"), args


def test_spool_directory_that_is_not_there(inputs):
    inputs.refuses("encode", "in.wav", "-o", "-", "--format", "npy", "-m", TINY, env={"TMPDIR": str(inputs.cwd / "none")},
                   says=["standard output", "the directory", "none does not exist"])


def test_spool_is_not_needed_for_wav(inputs):
    inputs("decode", "in.npy", "-o", "-", "--format", "wav", "-m", TINY, env={"TMPDIR": str(inputs.cwd / "none")})


# ----------------------------------------------------------------------------------------------- interruptions --


def write_long_wav(path, seconds):
    """Silence, as a hole in the file."""
    n = 48000 * seconds
    path.write_bytes(struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", n + 36, b"WAVE", b"fmt ", 16, 1, 1, 24000, 48000, 2, 16,
                                 b"data", n))
    os.truncate(path, n + 44)


def write_long_array(path, shape):
    with open(path, "wb") as f:
        np.lib.format.write_array_header_1_0(f, {"descr": "<i8", "fortran_order": False, "shape": shape})
        start = f.tell()
    os.truncate(path, start + 8 * int(np.prod(shape)))


def wait_for_part(ecdc, process):
    """Until the run has begun to write."""
    for _ in range(100 * SECONDS):
        parts = list(ecdc.cwd.glob(".*.part"))
        if parts and any(p.stat().st_size > 0 for p in parts) or process.poll() is not None:
            return
        time.sleep(0.01)


def wait_for_handler(process, number):
    """Until the run listens for a signal; a busy machine may need long for that."""
    for _ in range(100 * SECONDS):
        caught = next(line for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if line.startswith("SigCgt:"))
        if int(caught.split()[1], 16) >> (number - 1) & 1:
            return
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("args", [
    ("encode", "long.wav", "-o", "out.npy"), ("encode", "long.wav", "-o", "out.ecdc"), ("features", "long.wav", "-o", "out.npy"),
    ("decode", "long.npy", "-o", "out.wav"), ("decode", "long.npy", "-o", "out.wav", "-r"),
    ("reconstruct", "long-rows.npy", "-o", "out.wav"),
], ids=lambda a: " ".join(a) if isinstance(a, tuple) else "")
def test_interruption(ecdc, args, number):
    write_long_wav(ecdc.cwd / "long.wav", 3000)
    write_long_array(ecdc.cwd / "long.npy", (8, 225000))
    write_long_array(ecdc.cwd / "long-rows.npy", (2000, 4, 112))
    before = snapshot(ecdc.cwd)
    process = ecdc.start(*args, "-m", "default")
    wait_for_handler(process, number)
    time.sleep(0.2) if "-r" in args else wait_for_part(ecdc, process)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=SECONDS)
    check_healthy(process.returncode, stderr.decode())
    assert (process.returncode, stderr) == (1, b"ecdc: interrupted; no file was written\n")
    assert snapshot(ecdc.cwd) == before


def test_interruption_while_waiting_for_input(ecdc, sounds):
    process = ecdc.start("encode", "-", "-o", "out.npy", "-m", TINY, stdin=subprocess.PIPE)
    process.stdin.write(sounds["short.wav"].read_bytes()[:30000])
    process.stdin.flush()
    wait_for_handler(process, signal.SIGINT)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    process.wait(SECONDS)
    stderr = process.stderr.read().decode()
    check_healthy(process.returncode, stderr)
    assert (process.returncode, stderr) == (1, "ecdc: interrupted; no file was written\n")
    assert not list(ecdc.cwd.iterdir())
    process.stdin.close()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_signals_that_the_caller_has_switched_off(ecdc, sounds, number):
    """As nohup does, and a shell that starts something in the background."""
    process = ecdc.start("encode", "-", "-o", "out.npy", "-m", TINY, "-q", stdin=subprocess.PIPE,
                         preexec_fn=lambda: signal.signal(number, signal.SIG_IGN))
    sound = sounds["short.wav"].read_bytes()
    process.stdin.write(sound[:30000])
    process.stdin.flush()
    time.sleep(0.3)
    process.send_signal(number)
    time.sleep(0.1)
    _, stderr = process.communicate(sound[30000:], timeout=SECONDS)
    assert (process.returncode, stderr) == (0, b"")
    assert np.load(ecdc.cwd / "out.npy").shape[1] == 94


# ---------------------------------------------------------------------------------------------------- progress --


def on_a_terminal(ecdc, *args):
    """What a run prints to a terminal."""
    ours, theirs = pty.openpty()
    process = ecdc.start(*args, stderr=theirs)
    os.close(theirs)
    text = b""
    try:
        while part := os.read(ours, 4096):
            text += part
    except OSError:  # the other side is closed
        pass
    os.close(ours)
    assert process.wait(SECONDS) == 0
    return text.decode()


def test_progress_on_a_terminal(ecdc, sounds):
    for args, word in ((("encode", sounds["talk.wav"], "-o", "out.npy"), "encoding"), (("decode", "out.npy", "-o", "out.wav"), "decoding")):
        text = on_a_terminal(ecdc, *args, "-m", TINY)
        assert f"\r{word} [" in text and " x realtime" in text and " left" in text
        assert text.rpartition("\r\x1b[K")[2].startswith("ecdc: out.")  # the bar is wiped, the summary stays
    assert on_a_terminal(ecdc, "encode", sounds["talk.wav"], "-o", "out.npy", "-m", TINY, "-f", "-q") == ""


# ------------------------------------------------------------------------------------------------------ memory --


@pytest.mark.skipif(SANITIZED, reason="sanitizers keep freed memory")
def test_memory_does_not_grow_with_the_sound(ecdc):
    peaks = []
    for seconds in 20, 200:
        write_long_wav(ecdc.cwd / "in.wav", seconds)
        peaks.append([ecdc(*args, "-m", TINY, "-f", "--json").json["peak_rss_mb"] for args in (
            ("encode", "in.wav", "-o", "out.npy"), ("decode", "out.npy", "-o", "out.wav"),
            ("features", "in.wav", "-o", "rows.npy"), ("reconstruct", "rows.npy", "-o", "out.wav"))])
    for short, long in zip(*peaks):
        assert long < short + 4


# ------------------------------------------------------------------------------------------ standard files --


@pytest.mark.parametrize("closed", ["2>&-", "1>&-", "0<&-", "0<&- 1>&- 2>&-"])
def test_standard_files_that_are_closed(inputs, closed):
    """Their numbers must not go to an output: notes would be written into it."""
    inputs("encode", "in.wav", "-o", "want.npy", "-m", TINY)
    command = f'"$@" {closed}'
    done = subprocess.run(["sh", "-c", command, "sh", *inputs.command(("encode", "in.wav", "-o", "out.npy", "-m", TINY))],
                          cwd=inputs.cwd, timeout=SECONDS)
    assert done.returncode in (0, 1)
    assert (inputs.cwd / "out.npy").read_bytes() == (inputs.cwd / "want.npy").read_bytes()


def test_codes_from_a_pipe(inputs):
    inputs("encode", "in.wav", "-o", "in.ecdc", "-m", TINY)
    inputs("decode", "in.ecdc", "-o", "want.wav", "-m", TINY)
    codes = (inputs.cwd / "in.ecdc").read_bytes()
    inputs("decode", "-", "-o", "out.wav", "-m", TINY, "-r", stdin=codes)  # read twice
    assert (inputs.cwd / "out.wav").read_bytes() == (inputs.cwd / "want.wav").read_bytes()
    inputs.refuses("decode", "-", "-o", "cut.wav", "-m", TINY, stdin=codes[:-3], says="standard input: is cut off after")
