"""The job script of examples/slurm on a real Slurm of one node: a task is killed and requeued; nothing is lost, nothing done twice."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest

import files
import slurm
from run import BINARY, ROOT

N_FILMS, SECONDS = 8, 60


@pytest.fixture
def films(ecdc):
    sound = np.random.default_rng(0).integers(-9999, 9999, SECONDS * 24000).astype(np.int16)
    for i in range(N_FILMS):
        files.write_wav(ecdc.cwd / f"{i}.wav", sound)
    (ecdc.cwd / "broken.wav").write_text("no sound")
    (ecdc.cwd / "list").write_text("".join(f"{i}.wav\n" for i in range(N_FILMS)) + "broken.wav\n")


def process_of(task):
    """The number of the ecdc that works on this task."""
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            words = (directory / "cmdline").read_bytes().split(b"\0")
            if words[0] == os.fsencode(BINARY) and f"{task}/2".encode() in words:
                return int(directory.name)
        except OSError:
            continue
    return None


def rows(path):
    _, *lines = path.read_text().splitlines()
    return {line.split("\t")[1].removeprefix("out/"): line.split("\t")[2] for line in lines}


def test_a_task_that_is_killed_goes_on_where_it_stopped(ecdc, films, tmp_path_factory):
    if slurm.missing():
        pytest.skip(f"Slurm {slurm.missing()}")
    out = ecdc.cwd / "out"
    with slurm.one_node(tmp_path_factory.mktemp("slurm")) as cluster:
        job = cluster.submit("--array=1-2", "--cpus-per-task=1", "--mem=0", "--output=log.%a", "--export=ALL,ECDC=" + str(BINARY),
                             ROOT / "examples/slurm/features.sbatch", "list", "out", "-q", cwd=ecdc.cwd)
        # Task 1 has 0, 2, 4, 6 and the broken one; it is killed when the first of them is there.
        mine = [f"{i}.npy" for i in range(0, N_FILMS, 2)]
        cluster.wait(job, lambda tasks: any((out / name).exists() for name in mine))
        os.kill(process_of(1), signal.SIGKILL)
        cluster.wait(job, lambda tasks: tasks[1]["JobState"] == "FAILED")
        before = {name: (out / name).stat().st_ino for name in mine if (out / name).exists()}
        assert 1 <= len(before) < len(mine) and not (out / "ecdc-batch.1-of-2.tsv").exists()
        assert cluster.run("scontrol", "requeue", f"{job}_1").returncode == 0
        ended = {"COMPLETED", "FAILED"}
        tasks = cluster.wait(job, lambda tasks: tasks[1]["Restarts"] == "1" and {t["JobState"] for t in tasks.values()} <= ended)
        assert tasks[1]["JobState"] == "FAILED" and tasks[1]["ExitCode"] == "1:0"  # for the broken file
        assert tasks[2]["JobState"] == "COMPLETED"

    first = rows(out / "ecdc-batch.1-of-2.tsv")
    assert first == {name: "kept" if name in before else "done" for name in mine} | {"broken.npy": "failed"}
    assert all((out / name).stat().st_ino == inode for name, inode in before.items())
    assert set(rows(out / "ecdc-batch.2-of-2.tsv").values()) == {"done"}
    assert not list(out.glob(".*.part"))
    arrays = [np.load(out / f"{i}.npy") for i in range(N_FILMS)]
    assert arrays[0].shape == (SECONDS / 1.5, 4, 112) and all(np.array_equal(a, arrays[0]) for a in arrays)
    r = ecdc.run("batch", "list", "-o", "out", "-q", "--json")
    assert (r.json["kept"], r.json["done"], r.json["failed"]) == (N_FILMS, 0, 1)
