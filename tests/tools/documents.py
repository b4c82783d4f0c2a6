"""Runs the fenced blocks of a page and holds what they print against what the page says (docs/README.md has the rules)."""
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import run

SERVER = """
import contextlib, io, json, sys, traceback
names, out = {"__name__": "__main__"}, sys.stdout
for line in sys.stdin:
    text, failed = io.StringIO(), False
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        try:
            exec(compile(json.loads(line), "page", "exec"), names)
        except BaseException:
            failed = True
            traceback.print_exc()
    print(json.dumps([text.getvalue(), failed]), file=out, flush=True)
"""
PAGES = ["README.md", *(f"docs/{p.name}" for p in sorted((run.ROOT / "docs").glob("*.md"))), "examples/README.md"]


def blocks(page):
    """(line, language, text, {directive: value}) of a page's fenced blocks."""
    directives, inside, found = {}, None, []
    for number, line in enumerate((run.ROOT / page).read_text().splitlines(), 1):
        if inside is not None:
            if line == "```":
                found.append((*inside[:2], "\n".join(inside[2]) + "\n", directives))
                directives, inside = {}, None
            else:
                inside[2].append(line)
        elif line.startswith("```"):
            inside = (number, line[3:], [])
        elif re.match(r"<!-- run: ", line):
            word, _, value = line[len("<!-- run: "):-len(" -->")].partition(" ")
            assert word in ("varies", "status", "peers", "skip", "shown"), f"{page}:{number}: {line}"
            directives.setdefault(word, []).append(value)
    return found


class Page:
    def __init__(self, name, cwd, hub):
        self.name, self.cwd, self.varies, self.python = name, cwd, [], None
        (cwd / "build").mkdir()
        for program in ("ecdc", "encode_film"):
            (cwd / "build" / program).symlink_to(run.BINARY.parent / program)
        (cwd / "bin").mkdir()
        (cwd / "bin" / "python3").symlink_to(sys.executable)
        for folder in ("audio", "examples"):
            (cwd / folder).symlink_to(run.ROOT / folder)
        self.env = {**run.Ecdc(cwd, hub).env, "PYTHONPATH": str(run.ROOT / "python"), "ECDC_LIBRARY": str(run.BINARY.parent / "libecdc.so"),
                    "PATH": f"{run.BINARY.parent}:{cwd / 'bin'}:{os.environ['PATH']}"}
        if sys.prefix != sys.base_prefix:  # a link to a virtual environment's Python is not in it
            (cwd / "bin" / "python3").unlink()
            self.env["PATH"] = f"{run.BINARY.parent}:{Path(sys.prefix) / 'bin'}:{os.environ['PATH']}"

    def shell(self, command, status=0):
        done = subprocess.run(["sh", "-euc", command], cwd=self.cwd, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=300)
        text = done.stdout.decode()
        run.check_healthy(done.returncode, text)
        assert done.returncode == status, f"{command}\nended with {done.returncode}:\n{text}"
        return text

    def run_python(self, code):
        if self.python is None:
            self.python = subprocess.Popen([sys.executable, "-c", SERVER], cwd=self.cwd, env=self.env, stdin=subprocess.PIPE,
                                           stdout=subprocess.PIPE, text=True)
        self.python.stdin.write(json.dumps(code) + "\n")
        self.python.stdin.flush()
        text, failed = json.loads(self.python.stdout.readline())
        assert not failed, f"{code}\n{text}"
        return text

    def run_c(self, code):
        (self.cwd / "page.c").write_text(code)
        return self.shell(f"cc -std=c11 -Wall -Wextra -Werror -I{run.ROOT / 'include'} page.c -o page -L{run.BINARY.parent} "
                          f"-Wl,-rpath,{run.BINARY.parent} -lecdc -lm && ./page")

    def even(self, text):
        for expression in self.varies:
            text = re.sub(expression, "~", text)
        return [line.rstrip() for line in text.strip().splitlines()]

    def run(self, peers):
        printed = None
        try:
            for line, language, text, directives in blocks(self.name):
                where = f"{self.name}:{line}"
                self.varies += directives.get("varies", [])
                if "skip" in directives or "shown" in directives or ("peers" in directives and not peers):
                    printed = None
                elif language == "text":
                    assert printed is not None or not peers, f"{where}: the block above did not run"
                    if printed is not None:
                        assert self.even(printed) == self.even(text), f"{where}\nprinted:\n{printed}"
                elif language == "sh":
                    printed = self.shell(text, int(directives.get("status", ["0"])[0]))
                elif language in ("python", "c"):
                    printed = (self.run_python if language == "python" else self.run_c)(text)
                else:
                    raise AssertionError(f"{where}: a block without a language that is run")
        finally:
            if self.python:
                self.python.stdin.close()
                self.python.wait()


def make_film(path):
    """155 s of the recording with a picture: 103 TRs of 1.5 s."""
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", "testsrc=size=64x48:rate=5", "-stream_loop", "-1",
                    "-i", run.SPEECH, "-t", "155", "-c:v", "mpeg4", "-c:a", "aac", path], check=True)


def run_page(name, cwd, hub, film, peers=False):
    cwd.mkdir(exist_ok=True)
    page = Page(name, cwd, hub)
    (cwd / "data").mkdir()
    (cwd / "FILM.mp4").symlink_to(film)
    (cwd / "data" / "stimuli_Sherlock.m4v").symlink_to(film)
    page.run(peers)
