"""The cache of models is shared with huggingface_hub: what ecdc has downloaded, the package and transformers find, and the
reverse; both write the same tree. The hub is a server on the loopback address, closed before anything is read."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest
from compare import BINARY, TINY

import hub_server

NAME = "some-lab/tiny"
FILES = {"config.json": (TINY / "config.json").read_bytes(), "model.safetensors": (TINY / "model.safetensors").read_bytes(),
         "README.md": b"---\nlicense: mit\n---\n"}


@pytest.fixture
def hub():
    hub = hub_server.Hub()
    hub.add(NAME, FILES)
    yield hub
    hub.close()


def environment(home, hub=None):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "XDG_CACHE")) and not k.lower().endswith("_proxy")}
    env.update(HF_HOME=str(home), HF_HUB_DISABLE_TELEMETRY="1", HF_HUB_DISABLE_UPDATE_CHECK="1")
    return {**env, **({"HF_ENDPOINT": hub.url} if hub else {"HF_HUB_OFFLINE": "1"})}


def run(*args, **settings):
    p = subprocess.run([*map(str, args)], capture_output=True, text=True, timeout=200, **settings)
    assert p.returncode == 0, p.stderr
    return p.stdout


def ecdc(*args, **settings):
    return run(BINARY, *args, **settings)


def python(program, *args, **settings):
    return run(sys.executable, "-c", program, *args, **settings)


DOWNLOAD = """
import sys
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError
for file in "config.json", "README.md", "preprocessor_config.json", "model.safetensors":
    try:
        hf_hub_download(sys.argv[1], file, revision=sys.argv[2])
    except EntryNotFoundError:
        pass
"""

READ = """
import sys, torch
from huggingface_hub import scan_cache_dir, try_to_load_from_cache, _CACHED_NO_EXIST
from transformers import EncodecModel
cache = scan_cache_dir()
assert not cache.warnings, cache.warnings
repository, = cache.repos
assert repository.repo_id == sys.argv[1] and set(repository.refs) == {"main"}
assert {f.file_name for f in repository.refs["main"].files} == {"config.json", "model.safetensors", "README.md"}
assert try_to_load_from_cache(sys.argv[1], "preprocessor_config.json") is _CACHED_NO_EXIST
model = EncodecModel.from_pretrained(sys.argv[1])
print(sum(p.double().sum().item() for p in model.parameters()))
"""


def tree(home):
    """Every path with its kind, rights and content; the package's own files of other kinds apart."""
    found = {}
    for path in sorted((home / "hub").rglob("*")):
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(home))] = (oct(path.lstat().st_mode), content)
    return found


def test_both_write_the_same(hub, tmp_path):
    ecdc("model", "fetch", NAME, env=environment(tmp_path / "ours", hub))
    python(DOWNLOAD, NAME, "main", env=environment(tmp_path / "theirs", hub))
    ours, theirs = tree(tmp_path / "ours"), tree(tmp_path / "theirs")
    # The package takes a lock for small files, too, which are written in one piece here.
    locks = {f"hub/.locks/models--some-lab--tiny/{hub_server.etag(FILES[name])}.lock" for name in ("config.json", "README.md")}
    assert locks <= set(theirs)
    assert ours == {path: what for path, what in theirs.items() if path not in locks}


def test_package_reads_what_we_wrote(hub, tmp_path):
    ecdc("model", "fetch", NAME, env=environment(tmp_path, hub))
    hub.close()
    ours = float(python(READ, NAME, env=environment(tmp_path)))
    theirs = float(python("import sys; from transformers import EncodecModel\n"
                          "print(sum(p.double().sum().item() for p in EncodecModel.from_pretrained(sys.argv[1]).parameters()))",
                          TINY, env=environment(tmp_path)))
    assert ours == theirs


def test_we_read_what_the_package_wrote(hub, tmp_path, short_speech):
    python(DOWNLOAD, NAME, "main", env=environment(tmp_path, hub))
    connections = hub.connections
    hub.close()
    before = tree(tmp_path)
    for model, output, env in ((NAME, "a.npy", environment(tmp_path)), (NAME, "b.npy", environment(tmp_path, hub)),
                               (TINY, "c.npy", environment(tmp_path))):
        ecdc("encode", short_speech[1], "-o", tmp_path / output, "-m", model, env=env)
    a, b, c = (np.load(tmp_path / name) for name in ("a.npy", "b.npy", "c.npy"))
    assert np.array_equal(a, c) and np.array_equal(b, c)
    assert tree(tmp_path) == before and hub.connections == connections


def test_update_after_the_package(hub, tmp_path):
    """A newer commit: only what is new is downloaded, and the package sees the new one."""
    python(DOWNLOAD, NAME, "main", env=environment(tmp_path, hub))
    hub.requests.clear()
    new = hub.add(NAME, {**FILES, "README.md": b"---\nlicense: other\n---\n"})
    ecdc("model", "fetch", NAME, env=environment(tmp_path, hub))
    assert hub.count("GET", "model.safetensors") == 0
    assert run(sys.executable, "-c", "import sys; from huggingface_hub import hf_hub_download\n"
               "print(hf_hub_download(sys.argv[1], 'model.safetensors'))", NAME, env=environment(tmp_path)).strip() == str(
                   tmp_path / "hub" / "models--some-lab--tiny" / "snapshots" / new / "model.safetensors")


HOLD = """
import sys
from pathlib import Path
from huggingface_hub.utils import WeakFileLock
lock = Path(sys.argv[1])
lock.parent.mkdir(parents=True, exist_ok=True)
with WeakFileLock(lock):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_lock_is_the_same(hub, tmp_path):
    """While the package holds a blob's lock, we wait; while we hold it, the package does."""
    lock = tmp_path / "hub" / ".locks" / "models--some-lab--tiny" / f"{hub_server.etag(FILES['model.safetensors'])}.lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True, env=environment(tmp_path))
    assert holder.stdout.readline() == "held\n"
    fetch = subprocess.Popen([BINARY, "model", "fetch", NAME], stderr=subprocess.PIPE, text=True,
                             env=environment(tmp_path, hub))
    fetch.stderr.readline()  # the announcement
    assert "another process is downloading the same file; waiting" in fetch.stderr.readline()
    assert hub.count("GET", "model.safetensors") == 0
    holder.communicate("", timeout=60)
    fetch.communicate(timeout=60)
    assert fetch.returncode == 0 and hub.count("GET", "model.safetensors") == 1

    home = tmp_path / "second"
    hub.fault("GET", "model.safetensors", hub_server.stalls_after(500_000, 60))
    fetch = subprocess.Popen([BINARY, "model", "fetch", NAME, "-q"], env=environment(home, hub))
    assert hub.stalled.wait(30)
    other = subprocess.Popen([sys.executable, "-c", DOWNLOAD, NAME, "main"], env=environment(home, hub))
    while not [r for r in hub.requests if r[1] == "HEAD" and r[3] == "model.safetensors" and "ecdc" not in r[4]["User-Agent"]]:
        time.sleep(0.05)
    time.sleep(0.5)
    assert other.poll() is None
    hub.released.set()
    assert fetch.wait(60) == 0 and other.wait(60) == 0
    assert hub.count("GET", "model.safetensors") == 2, "one per cache"
