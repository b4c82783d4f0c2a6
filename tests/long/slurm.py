"""A Slurm of one node for a test: munged, slurmctld and slurmd as root in a directory, without systemd."""

import contextlib
import os
import shutil
import socket
import subprocess
import time

PROGRAMS = ["munged", "slurmctld", "slurmd", "sbatch", "scontrol"]


def missing():
    """What hinders it, or None."""
    absent = [p for p in PROGRAMS if not shutil.which(p, path=os.environ["PATH"] + ":/usr/sbin:/sbin")]
    return f"not installed: {', '.join(absent)}" if absent else "needs root" if os.getuid() else None


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def settings(directory, host):
    return f"""
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
NodeName={host} NodeAddr=127.0.0.1 CPUs=2
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
SlurmctldPort={free_port()}
SlurmdPort={free_port()}
SlurmUser=root
AuthType=auth/munge
AuthInfo=cred_expire=5,socket={directory}/munge.socket
CryptoType=crypto/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
JobRequeue=1
StateSaveLocation={directory}/state
SlurmdSpoolDir={directory}/spool
SlurmctldPidFile={directory}/slurmctld.pid
SlurmdPidFile={directory}/slurmd.pid
SlurmctldLogFile={directory}/slurmctld.log
SlurmdLogFile={directory}/slurmd.log
"""


class Slurm:
    def __init__(self, directory):
        self.env = {**os.environ, "SLURM_CONF": str(directory / "slurm.conf"), "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}

    def run(self, *args, **settings):
        return subprocess.run([*map(str, args)], env=self.env, capture_output=True, text=True, timeout=60, **settings)

    def submit(self, *args, **settings):
        """The number of the job."""
        p = self.run("sbatch", "--parsable", *args, **settings)
        assert p.returncode == 0, p.stderr
        return p.stdout.strip()

    def tasks(self, job):
        """{task: what scontrol shows of it}, of an array."""
        shown = {}
        for line in self.run("scontrol", "-o", "show", "job", job).stdout.splitlines():
            fields = dict(word.split("=", 1) for word in line.split() if "=" in word)
            if fields.get("ArrayTaskId", "").isdigit():
                shown[int(fields["ArrayTaskId"])] = fields
        return shown

    def wait(self, job, until, seconds=120):
        """Until this holds of the tasks; the tasks."""
        end = time.monotonic() + seconds
        while not until(tasks := self.tasks(job)):
            assert time.monotonic() < end, tasks
            time.sleep(0.2)
        return tasks


@contextlib.contextmanager
def one_node(directory):
    host = socket.gethostname().split(".")[0]
    for name in "state", "spool":
        (directory / name).mkdir()
    (directory / "slurm.conf").write_text(settings(directory, host))
    (directory / "munge.key").write_bytes(os.urandom(1024))
    (directory / "munge.key").chmod(0o400)
    slurm = Slurm(directory)
    munge = ["munged", "--foreground", "--force", "--num-threads=2", *(f"--{name}={directory}/munge.{ending}" for name, ending in (
        ("key-file", "key"), ("socket", "socket"), ("pid-file", "pid"), ("log-file", "log"), ("seed-file", "seed")))]
    daemons = []
    try:
        for command in munge, ["slurmctld", "-D", "-i"], ["slurmd", "-D", "-N", host]:
            with open(directory / f"{command[0]}.out", "w") as out:
                daemons.append(subprocess.Popen(command, env=slurm.env, stdout=out, stderr=subprocess.STDOUT))
            time.sleep(1)
        end = time.monotonic() + 60
        while " idle " not in f" {slurm.run('sinfo', '-h', '-o', '%T').stdout.strip()} ":
            assert time.monotonic() < end, "\n".join(p.read_text()[-2000:] for p in directory.glob("*.out"))
            time.sleep(0.5)
        yield slurm
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
        for daemon in daemons:
            try:
                daemon.wait(30)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
