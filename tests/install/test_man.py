"""Manual pages: one per command, with what its help says and nothing else, and without a word that man complains about."""

import os
import re
import subprocess

import pytest

import run


def rendered(page):
    done = subprocess.run(["man", "--warnings", "-l", page], capture_output=True, text=True,
                          env={**os.environ, "MANWIDTH": "1000", "LC_ALL": "C.UTF-8"})
    assert done.returncode == 0 and done.stderr == ""
    return done.stdout.rstrip().rpartition("\n")[0]  # without the line at the foot


def sections(page):
    parts = re.split(r"^([A-Z][A-Z ]*)$", rendered(page), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def words(text):
    return re.sub(r"\s+", " ", text).strip()


@pytest.fixture(scope="module")
def commands(ecdc_once):
    return re.findall(r"^  ([a-z-]+)  +\S", ecdc_once("--help").text, re.M)


@pytest.fixture(scope="module")
def pages(prefix):
    return {page.stem: page for page in (prefix / "share" / "man" / "man1").iterdir()}


def test_every_command_has_a_page(pages, commands):
    assert len(commands) >= 8
    assert set(pages) == {"ecdc", *(f"ecdc-{command}" for command in commands)}


def test_options_and_their_text_are_those_of_the_help(ecdc_once, pages, commands):
    for command in commands:
        options = sections(pages[f"ecdc-{command}"])["OPTIONS"]
        listed = re.split(r"^  (?:    )?(?=-)", ecdc_once(command, "--help").text, flags=re.M)[1:]
        assert len(listed) >= 2
        assert words(options) == words(" ".join(listed)), command


def test_usage_and_summary_are_those_of_the_help(ecdc_once, pages, commands):
    for command in commands:
        page, text = sections(pages[f"ecdc-{command}"]), ecdc_once(command, "--help").text
        usage, summary = text.split("\n\n")[:2]
        assert words("usage: " + page["SYNOPSIS"]) == words(usage)
        assert words(page["DESCRIPTION"]).startswith(words(summary))
        assert words(page["NAME"]).startswith(f"ecdc-{command} - ")


def test_exit_statuses_and_neighbours(pages):
    for name, page in pages.items():
        found = sections(page)
        assert {"0", "1", "2"} <= set(re.findall(r"^ +(\d+) +\S", found["EXIT STATUS"], re.M)), name
        assert set(re.findall(r"(ecdc[a-z-]*)\(1\)", found["SEE ALSO"])) == set(pages) - {name}


def test_examples_are_taken(ecdc, pages, commands):
    """The command lines of the examples, with --help behind them: an option or a value that is not taken is refused."""
    seen = 0
    for command in commands:
        for line in re.findall(r"^ +(?:.*\| )?(ecdc .*)$", sections(pages[f"ecdc-{command}"]).get("EXAMPLES", ""), re.M):
            arguments = re.sub(r"[|>].*", "", line).split()[1:]
            assert arguments[0] == command
            assert ecdc(*arguments, "--help").text == ecdc(command, "--help").text
            seen += 1
    assert seen >= 8
