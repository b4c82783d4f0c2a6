import subprocess

import pytest

import run


@pytest.fixture(scope="session")
def prefix(tmp_path_factory, empty_hub):
    """The build, installed, and then moved: nothing in the tree may name the place where it was."""
    first, moved = tmp_path_factory.mktemp("install") / "first", tmp_path_factory.mktemp("moved") / "prefix"
    subprocess.run(["cmake", "--install", run.BINARY.parent, "--prefix", first], check=True, stdout=subprocess.PIPE)
    first.rename(moved)
    return moved


@pytest.fixture(scope="session")
def library_directory(prefix):
    return next(prefix.glob("lib*/**/libecdc.so")).parent
