"""The names that the library shows to a linker are those that the header declares, in both forms of it."""

import re
import subprocess

import pytest

import run


def declared():
    header = re.sub(r"/\*.*?\*/", "", (run.ROOT / "include" / "ecdc.h").read_text(), flags=re.S)
    names = {re.match(r"[^(]*?(ecdc_\w+)\(", text).group(1) for text in re.findall(r"^ECDC_API ([^;]*);", header, re.M)}
    assert len(names) > 50
    return names


def defined(file, *options):
    symbols = subprocess.run(["nm", "--defined-only", "--extern-only", *options, file], check=True, capture_output=True, text=True)
    return set(re.findall(r"^[0-9a-f]+ \w (\S+)$", symbols.stdout, re.M))


@pytest.mark.skipif(run.SANITIZED, reason="sanitizers add names of their own")
def test_names(library_directory):
    assert defined(library_directory / "libecdc.so", "--dynamic") == declared()
    assert defined(library_directory / "libecdc.a") == declared()


def test_soname(library_directory):
    dynamic = subprocess.run(["readelf", "-d", library_directory / "libecdc.so"], check=True, capture_output=True, text=True).stdout
    assert re.findall(r"SONAME.*\[(.*)\]", dynamic) == ["libecdc.so.0"]
    assert "RPATH" not in dynamic and "RUNPATH" not in dynamic
    assert (library_directory / "libecdc.so").resolve() == (library_directory / "libecdc.so.0").resolve()


def test_the_stack_is_not_executable(prefix, library_directory):
    for file in prefix / "bin" / "ecdc", library_directory / "libecdc.so":
        headers = subprocess.run(["readelf", "-lW", file], check=True, capture_output=True, text=True).stdout
        assert re.search(r"GNU_STACK .* RW +0x", headers), file
