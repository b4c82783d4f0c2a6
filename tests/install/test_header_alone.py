"""The installed header as the only line of a program, in C and C++, with every compiler that is here."""

import shutil
import subprocess

import pytest

STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror", "-fsyntax-only"]
COMPILERS = [("gcc", "c11", ["-Wstrict-prototypes"]), ("g++", "c++11", []), ("g++", "c++20", []),
             ("clang", "c11", ["-Wstrict-prototypes"]), ("clang++", "c++11", [])]


@pytest.mark.parametrize("compiler, standard, more", COMPILERS)
def test_header(tmp_path, prefix, compiler, standard, more):
    if compiler.startswith("clang") and not shutil.which(compiler):
        pytest.skip(f"{compiler} is not installed")
    source = tmp_path / ("alone.cpp" if "++" in standard else "alone.c")
    source.write_text("#include <ecdc.h>\n")
    done = subprocess.run([compiler, f"-std={standard}", *STRICT, *more, f"-I{prefix}/include", source], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
