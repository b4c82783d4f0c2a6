"""Completion, by a bash that has loaded the installed script."""

import os
import re
import select
import subprocess
import time

import pytest

import run


@pytest.fixture(scope="module")
def script(prefix):
    return prefix / "share" / "bash-completion" / "completions" / "ecdc"


@pytest.fixture
def complete(script):
    def ask(*line):
        """What is offered for the last word of a line."""
        program = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ecdc; printf "%s\\n" "${COMPREPLY[@]}"'
        done = subprocess.run(["bash", "--norc", "-euc", program, "bash", script, run.BINARY, *line], capture_output=True, text=True)
        assert done.returncode == 0 and done.stderr == "", done.stderr
        return done.stdout.split()
    return ask


def commands(ecdc):
    return re.findall(r"^  ([a-z-]+)  +\S", ecdc("--help").text, re.M)


def test_commands(ecdc, complete):
    assert complete("") == [*commands(ecdc), "--help", "--version"]
    assert complete("feat") == ["features"]
    assert complete("nothing") == []


def test_options_of_every_command(ecdc, complete):
    for command in commands(ecdc):
        assert complete(command, "-") == re.findall(r"^  (?:-.,|   ) (--[a-z-]+)", ecdc(command, "--help").text, re.M)
    assert complete("features", "in.wav", "--al") == ["--alignment"]
    assert complete("nothing", "-") == []


def test_values_are_taken(ecdc, complete):
    """Every value that is offered after an option is one that some command takes, and a word the option's help names."""
    valued = {}
    for command in commands(ecdc):
        for option in re.findall(r"^  .{4}(--[a-z-]+) [A-Z]", ecdc(command, "--help").text, re.M):
            valued.setdefault(option, command)
    offered = 0
    for option, command in valued.items():
        for value in complete(command, option, ""):
            ecdc(command, option, value, "--help")
            offered += 1
    assert offered > 30
    assert complete("features", "--alignment", "=", "ex") == ["exact"] == complete("features", "--alignment", "ex")
    assert complete("features", "--layout", "=") == ["codes", "flat", "giblet"]
    assert complete("features", "-m", "fac") == ["facebook/encodec_24khz", "facebook/encodec_48khz"]
    assert complete("features", "--output", "") == [] == complete("features", "")  # files: bash's own


@pytest.mark.parametrize("command", ["model", "fmri", "dataset", "autoencoder"])
def test_words_of_a_command(ecdc, complete, command):
    usage = ecdc(command, "--help").text.splitlines()[0]
    for word in complete(command, ""):
        assert re.search(rf"[ |]{word}\b", usage)
    assert len(complete(command, "")) == usage.count("|") + 1


@pytest.mark.parametrize("command", ["features", "batch", "report", "compare"])
def test_commands_without_words_complete_names_of_files(complete, command):
    assert complete(command, "") == []


def test_at_a_terminal(tmp_path, script):
    """Keys as a user presses them: unique words are filled in, the name of a file too."""
    (tmp_path / "film_with_a_long_name.mp4").touch()
    pid, terminal = os.forkpty()
    if pid == 0:
        os.chdir(tmp_path)
        os.environ.update(PATH=f"{run.BINARY.parent}:{os.environ['PATH']}", PS1="ready> ", TERM="dumb", INPUTRC="/dev/null")
        os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
    shown = ""

    def until(text):
        nonlocal shown
        end = time.monotonic() + run.SECONDS
        while text not in shown:
            assert time.monotonic() < end and select.select([terminal], [], [], run.SECONDS)[0], shown
            shown += os.read(terminal, 4096).decode()
        shown = shown[shown.index(text) + len(text):]

    try:
        until("ready> ")
        os.write(terminal, f"source {script}; echo load''ed\n".encode())
        until("loaded\r\n")
        os.write(terminal, b"ecdc fea\t")
        until("ecdc features ")
        os.write(terminal, b"--align\t")
        until("--alignment ")
        os.write(terminal, b"ex\t")
        until("exact ")
        os.write(terminal, b"film\t")
        until("film_with_a_long_name.mp4 ")
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)
