"""What a program that is built against an installed ecdc sees: pkg-config, the CMake package, the shared and the static library."""

import os
import re
import subprocess
from pathlib import Path

import pytest

import run

OUTSIDE = Path(__file__).parent / "outside"
VERSION = re.search(r'ECDC_VERSION_STRING "(.*)"', (run.ROOT / "include" / "ecdc.h").read_text()).group(1)

pytestmark = pytest.mark.skipif(run.SANITIZED, reason="the programs here are not sanitized, so they cannot load the library")


def output(*command, **variables):
    done = subprocess.run(list(map(str, command)), env={**os.environ, **variables}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def runs(program, linked_with_libecdc, library_directory=None):
    variables = {"LD_LIBRARY_PATH": str(library_directory)} if library_directory else {}
    assert output(program, **variables) == f"{VERSION} {VERSION} 38 frames, 42\n"
    needed = re.findall(r"NEEDED.*\[(.*)\]", output("readelf", "-d", program))
    assert ("libecdc.so.0" in needed) == linked_with_libecdc, needed


@pytest.fixture
def pkg_config(library_directory):
    def ask(*question):
        return output("pkg-config", *question, "ecdc", PKG_CONFIG_PATH=str(library_directory / "pkgconfig")).split()
    return ask


def test_pkg_config_shared(tmp_path, library_directory, pkg_config):
    assert pkg_config("--modversion") == [VERSION]
    assert [word for word in pkg_config("--libs") if word.startswith("-l")] == ["-lecdc"]
    output("cc", "-std=c11", *pkg_config("--cflags"), "-o", tmp_path / "outside", OUTSIDE / "outside.c", *pkg_config("--libs"))
    runs(tmp_path / "outside", True, library_directory)


def test_pkg_config_static(tmp_path, library_directory, pkg_config):
    libraries = [library_directory / "libecdc.a" if word == "-lecdc" else word for word in pkg_config("--static", "--libs")]
    output("cc", "-std=c11", *pkg_config("--cflags"), "-o", tmp_path / "outside", OUTSIDE / "outside.c", *libraries)
    runs(tmp_path / "outside", False)


def test_cmake_package(tmp_path, prefix):
    output("cmake", "-G", "Ninja", "-S", OUTSIDE, "-B", tmp_path, f"-DCMAKE_PREFIX_PATH={prefix}")
    output("cmake", "--build", tmp_path)
    runs(tmp_path / "shared", True)
    runs(tmp_path / "static", False)


def test_cmake_package_of_another_version_is_refused(tmp_path, prefix):
    (tmp_path / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.24)\nproject(newer LANGUAGES C)\n"
                                             "find_package(ecdc 99 REQUIRED)\n")
    done = subprocess.run(["cmake", "-G", "Ninja", "-S", tmp_path, "-B", tmp_path / "build", f"-DCMAKE_PREFIX_PATH={prefix}"],
                          capture_output=True, text=True)
    assert done.returncode != 0 and "ecdcConfig.cmake, version: 0" in done.stderr


def test_the_installed_command(prefix, tmp_path):
    assert output(prefix / "bin" / "ecdc", "--version").startswith(f"ecdc {VERSION} (")
    output(prefix / "bin" / "ecdc", "encode", run.SPEECH, "-q", "-o", tmp_path / "codes.npy")


def test_no_installed_text_names_where_it_was_built(prefix):
    places = [str(run.ROOT).encode(), str(run.BINARY.parent).encode()]
    for file in prefix.rglob("*"):
        if file.suffix in (".pc", ".cmake", ".h", ".1") or file.parent.name == "completions":
            assert not any(place in file.read_bytes() for place in places), file
