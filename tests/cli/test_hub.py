"""Models from the Hugging Face hub, played by a server on the loopback address: what is written, and what is said and left
behind when something goes wrong."""

import hashlib
import json
import os
import pty
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

import hub_server
import run
from hub_server import answers, cut_after, ignores_range, sends, stalls_after, trickles
from run import TINY

NAME = "some-lab/tiny"
WEIGHTS = (TINY / "model.safetensors").read_bytes()
CARD = b"---\nlicense: cc-by-nc-4.0\n---\n# Tiny\n"
FILES = {"config.json": (TINY / "config.json").read_bytes(), "model.safetensors": WEIGHTS, "README.md": CARD}
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()


@pytest.fixture
def hub():
    hub = hub_server.Hub()
    hub.add(NAME, FILES)
    yield hub
    hub.close()


@pytest.fixture
def ecdc(tmp_path, hub):
    """The command with an empty cache, online; only loopback is ever named."""
    cwd, home = tmp_path / "cwd", tmp_path / "home"
    cwd.mkdir()
    ecdc = run.Ecdc(cwd, home)
    del ecdc.env["HF_HUB_OFFLINE"]
    for name in [n for n in ecdc.env if n.lower().endswith("_proxy")]:
        del ecdc.env[name]
    ecdc.env.update(HF_ENDPOINT=hub.url, HF_HUB_ETAG_TIMEOUT="5", HF_HUB_DOWNLOAD_TIMEOUT="5")
    ecdc.home = home
    ecdc.repository = home / "hub" / "models--some-lab--tiny"
    ecdc.incomplete = ecdc.repository / "blobs" / f"{SHA256}.incomplete"
    return ecdc


def assert_no_model(ecdc, hub, left=None):
    """Nothing is taken for a model, and of the weights only `left` bytes are there."""
    blobs = ecdc.repository / "blobs"
    partial = [p for p in blobs.iterdir() if p.stat().st_size > 5000] if blobs.exists() else []
    assert [p.name for p in partial] == ([] if left is None else [ecdc.incomplete.name])
    if left is not None:
        assert ecdc.incomplete.read_bytes() == WEIGHTS[:left]
    assert not (ecdc.repository / "refs").exists()
    ecdc.refuses("info", NAME, env={"HF_HUB_OFFLINE": "1"}, says="in the Hugging Face cache")
    assert all(m["name"] == "default" or not m["complete"] for m in ecdc("model", "list", "--json").json["models"])


def assert_model(ecdc, commit=None):
    snapshot = ecdc.repository / "snapshots" / (commit or hub_server.commit_of(FILES))
    assert (snapshot / "model.safetensors").read_bytes() == WEIGHTS
    assert not [p for p in ecdc.repository.rglob("*") if p.suffix in (".incomplete", ".tmp")]
    assert ecdc("info", NAME, "--json", env={"HF_HUB_OFFLINE": "1"}).json["sha256"] == SHA256


# ------------------------------------------------------------------------------------------------------ normal --


def test_fetch(ecdc, hub):
    commit = hub.repositories[NAME]["main"]
    snapshot = ecdc.repository / "snapshots" / commit
    r = ecdc("model", "fetch", NAME)
    assert r.stdout == b""
    assert r.stderr.splitlines()[0] == (
        f"ecdc: downloading {NAME} (main, commit {commit[:8]}) from {hub.url}: config.json, model.safetensors, README.md, "
        f"2.0 MB; licence: cc-by-nc-4.0; into {snapshot}")
    assert r.stderr.splitlines()[1].startswith(f"ecdc: {NAME}: complete after ") and r.stderr.count("\n") == 2

    blobs = {name: hub_server.etag(data) for name, data in FILES.items()}
    assert blobs["model.safetensors"] == SHA256
    found = sorted(str(p.relative_to(ecdc.home / "hub")) for p in (ecdc.home / "hub").rglob("*") if not p.is_dir())
    base = "models--some-lab--tiny"
    assert found == sorted(
        ["CACHEDIR.TAG", f".locks/{base}/{SHA256}.lock", f"{base}/.no_exist/{commit}/preprocessor_config.json",
         f"{base}/refs/main"]
        + [f"{base}/blobs/{b}" for b in blobs.values()] + [f"{base}/snapshots/{commit}/{name}" for name in FILES])
    for name, data in FILES.items():
        assert os.readlink(snapshot / name) == f"../../blobs/{blobs[name]}"
        assert (snapshot / name).read_bytes() == data
    assert (ecdc.repository / "refs" / "main").read_bytes() == commit.encode()
    assert (ecdc.home / "hub" / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55\n")

    assert {r[4]["Accept-Encoding"] for r in hub.requests} == {"identity"}
    assert {r[4]["User-Agent"] for r in hub.requests} == {"ecdc/" + ecdc("--version").text.split()[1]}

    hub.requests.clear()
    assert ecdc("model", "fetch", NAME).stderr == f"ecdc: {NAME} is here already: {snapshot}\n"
    assert {r[1] for r in hub.requests} == {"HEAD"}
    assert ecdc("model", "path", NAME).text == f"{snapshot}/model.safetensors\n"
    line = ecdc("model", "list").text.splitlines()[1].split()
    assert line == [NAME, "main", "2.0", "MB", str(snapshot)]


def test_first_use_downloads_once(ecdc, hub, sounds):
    codes = ecdc.codes(sounds["short.wav"], "-m", TINY)
    ecdc("encode", sounds["short.wav"], "-o", "a.npy", "-m", NAME, says=[f"downloading {NAME}", "licence: cc-by-nc-4.0"])
    connections = hub.connections
    r = ecdc("encode", sounds["short.wav"], "-o", "b.npy", "-m", NAME)
    assert "downloading" not in r.stderr and hub.connections == connections
    for name in "a.npy", "b.npy":
        assert np.array_equal(np.load(ecdc.cwd / name), codes)
    ecdc("model", "convert", NAME, "copy", "-q")
    assert (ecdc.cwd / "copy" / "model.safetensors").stat().st_size > 2e6


def test_codes_of_chunks_download_the_model_that_is_named(ecdc, hub, sounds):
    hub.add("some-lab/stereo", {name: (TINY.parent / "tiny48" / name).read_bytes() for name in ("config.json", "model.safetensors")})
    ecdc("encode", sounds["short.wav"], "-o", "a.npz", "-m", TINY.parent / "tiny48", "-b", "3")
    ecdc("decode", "a.npz", "-o", "a.wav", "-m", "some-lab/stereo", says="downloading some-lab/stereo")
    ecdc("decode", "a.npz", "-o", "b.wav", "-m", TINY.parent / "tiny48")
    assert (ecdc.cwd / "a.wav").read_bytes() == (ecdc.cwd / "b.wav").read_bytes()


def test_questions_download_nothing(ecdc, hub):
    for command in ("info",), ("model", "path"):
        ecdc.refuses(*command, NAME, says=[f"{NAME} is not in the Hugging Face cache", f"`ecdc model fetch {NAME}` downloads it"])
    assert hub.connections == 0


def test_json(ecdc, hub):
    commit = hub.repositories[NAME]["main"]
    assert ecdc("model", "fetch", NAME, "--json").json == {
        "name": NAME, "path": str(ecdc.repository / "snapshots" / commit), "commit": commit,
        "downloaded_bytes": sum(map(len, FILES.values()))}
    assert ecdc("model", "fetch", NAME, "--json").json["downloaded_bytes"] == 0


def test_quiet(ecdc):
    assert ecdc("model", "fetch", NAME, "-q").stderr == ""


def test_card_without_licence(ecdc, hub):
    hub.add(NAME, {**FILES, "README.md": b"# Tiny\n"})
    ecdc("model", "fetch", NAME, says="licence: the model card states none")
    hub.add("some-lab/bare", {"config.json": FILES["config.json"], "model.safetensors": WEIGHTS})
    ecdc("model", "fetch", "some-lab/bare", says="licence: the model card states none")


def test_revisions(ecdc, hub):
    commit = hub.repositories[NAME]["main"]
    other = {**FILES, "README.md": b"other"}
    tagged = hub.add(NAME, other, "v1.0")
    hub.add(NAME, other, "refs/pr/7")
    for revision in "v1.0", "refs/pr/7":
        ecdc("model", "fetch", f"{NAME}@{revision}", says=f"downloading {NAME} ({revision}, commit {tagged[:8]})"
             if revision == "v1.0" else f"is here already: {ecdc.repository}/snapshots/{tagged}")
        assert (ecdc.repository / "refs" / revision).read_text() == tagged
    ecdc("model", "fetch", f"{NAME}@{commit}")
    assert sorted(p.name for p in (ecdc.repository / "refs").iterdir()) == ["refs", "v1.0"]
    assert ecdc("info", f"{NAME}@{commit}", "--json").json["sha256"] == SHA256
    assert hub.count("GET", "model.safetensors") == 1, "the same blob"


def test_update(ecdc, hub):
    old = hub.repositories[NAME]["main"]
    ecdc("model", "fetch", NAME)
    new = hub.add(NAME, {**FILES, "README.md": CARD + b"More.\n"})
    connections = hub.connections
    ecdc("info", NAME)
    assert hub.connections == connections, "what is cached is used as it is"
    ecdc("model", "fetch", NAME, says="README.md")
    assert (ecdc.repository / "refs" / "main").read_text() == new
    assert sorted(p.name for p in (ecdc.repository / "snapshots").iterdir()) == sorted([old, new])
    assert hub.count("GET", "model.safetensors") == 1


def test_progress_on_a_terminal(ecdc, hub):
    hub.fault("GET", "model.safetensors", trickles(4, 0.2))
    master, slave = pty.openpty()
    p = ecdc.start("model", "fetch", NAME, stderr=slave)
    os.close(slave)
    seen = b""
    while True:
        try:
            piece = os.read(master, 4096)
        except OSError:  # the other side has closed
            break
        if not piece:
            break
        seen += piece
    os.close(master)
    assert p.wait() == 0
    p.stdout.close()
    assert b"\rdownloading [" in seen and b" MB at " in seen and b"MB/s" in seen


# -------------------------------------------------------------------------------------------- redirects, tokens --


def authorizations(hub, server):
    return {r[4].get("Authorization") for r in hub.requests if r[0] == server}


@pytest.mark.parametrize("where", ["HF_TOKEN", "HF_TOKEN_PATH", "HF_HOME"])
def test_token_stays_with_the_hub(ecdc, hub, where):
    hub.token = "hf_secret"
    if where == "HF_TOKEN":
        ecdc.env["HF_TOKEN"] = " hf_secret\n"
    else:
        file = ecdc.home / "token" if where == "HF_HOME" else ecdc.cwd / "my-token"
        file.parent.mkdir(exist_ok=True)
        file.write_text("hf_secret\n")
        if where == "HF_TOKEN_PATH":
            ecdc.env["HF_TOKEN_PATH"] = str(file)
    ecdc("model", "fetch", NAME)
    assert authorizations(hub, "front") == {"Bearer hf_secret"}
    assert authorizations(hub, "storage") == {None}
    assert_model(ecdc)


def test_no_token_where_it_is_not_wanted(ecdc, hub):
    ecdc.env.update(HF_TOKEN="hf_secret", HF_HUB_DISABLE_IMPLICIT_TOKEN="1")
    ecdc("model", "fetch", NAME)
    assert authorizations(hub, "front") == {None}


def test_renamed_repository(ecdc, hub):
    """The hub leads to the new name, on itself; the cache keeps the old one."""
    hub.repositories["old-lab/tiny"] = hub.repositories[NAME]
    hub.commits["old-lab/tiny", hub.repositories[NAME]["main"]] = FILES
    commit = hub.repositories[NAME]["main"]
    for method in "HEAD", "GET":
        for file in FILES:
            if (method, file) != ("GET", "model.safetensors"):
                revision = "main" if (method, file) == ("HEAD", "config.json") else commit
                hub.fault(method, file, answers(307, Location=f"/{NAME}/resolve/{revision}/{file}"))
    hub.token = ecdc.env["HF_TOKEN"] = "hf_secret"
    ecdc("model", "fetch", "old-lab/tiny")
    assert ecdc("info", "old-lab/tiny", "--json").json["sha256"] == SHA256


def test_redirects_in_circles(ecdc, hub):
    hub.fault("HEAD", "config.json", *[answers(302, Location=f"/{NAME}/resolve/main/config.json")] * 11)
    ecdc.refuses("model", "fetch", NAME, says=f"config.json of {NAME} cannot be downloaded from {hub.url}: it redirects in circles")


def test_redirect_into_the_machine(ecdc, hub):
    hub.fault("GET", "config.json", answers(302, Location="file:///etc/passwd"))
    ecdc.refuses("model", "fetch", NAME, says=[f"config.json of {NAME} cannot be downloaded from {hub.url}: Protocol \"file\""])


# -------------------------------------------------------------------------------- broken off, and taken up again --


def ranges(hub):
    return [r[4].get("Range") for r in hub.requests if r[:2] == ("storage", "GET")]


def test_cut_connections(ecdc, hub):
    hub.fault("GET", "model.safetensors", cut_after(300_000), cut_after(400_000), cut_after(100_000))
    r = ecdc("model", "fetch", NAME)
    assert ranges(hub) == [None, "bytes=300000-", "bytes=700000-", "bytes=800000-"]
    assert r.stderr.count("the connection failed (") == 3
    assert_model(ecdc)


def test_connections_cut_again_and_again(ecdc, hub):
    hub.fault("GET", "model.safetensors", cut_after(200_000), cut_after(10), *[answers(503, Retry_After="0")] * 4)
    r = ecdc.run("model", "fetch", NAME)
    assert r.status == 1
    assert r.stderr.splitlines()[-1] == (f"ecdc: {hub.url} fails (HTTP 503 for model.safetensors of {NAME}, 5 tries): try again "
                                         "later")
    assert_no_model(ecdc, hub, left=200_010)


def test_killed(ecdc, hub):
    hub.fault("GET", "model.safetensors", stalls_after(500_000, 30))
    p = ecdc.start("model", "fetch", NAME)
    assert hub.stalled.wait(20)
    while not ecdc.incomplete.exists() or ecdc.incomplete.stat().st_size < 500_000:
        time.sleep(0.01)
    p.kill()
    p.communicate()
    assert_no_model(ecdc, hub, left=500_000)
    ecdc("model", "fetch", NAME, says="0.5 MB of it are here from an earlier download")
    assert ranges(hub)[-1] == "bytes=500000-"
    assert_model(ecdc)


def test_interrupted(ecdc, hub):
    hub.fault("GET", "model.safetensors", stalls_after(500_000, 30))
    p = ecdc.start("encode", TINY / "input.npy", "-o", "x.npy", "-m", NAME)
    assert hub.stalled.wait(20)
    while not ecdc.incomplete.exists() or ecdc.incomplete.stat().st_size < 500_000:
        time.sleep(0.01)
    p.send_signal(signal.SIGINT)
    _, stderr = p.communicate(timeout=20)
    assert p.returncode == 1 and stderr.decode().splitlines()[-1] == "ecdc: the download was stopped"
    assert_no_model(ecdc, hub, left=500_000)
    assert list(ecdc.cwd.iterdir()) == []


def test_what_was_left_is_wrong(ecdc, hub):
    """A partial file that fails the check is thrown away, and everything is downloaded."""
    for left in b"x" * 1000, b"x" * len(WEIGHTS), b"x" * (len(WEIGHTS) + 1):
        shutil.rmtree(ecdc.home, ignore_errors=True)
        ecdc.incomplete.parent.mkdir(parents=True)
        ecdc.incomplete.write_bytes(left)
        ecdc("model", "fetch", NAME)
        assert ranges(hub)[-1] is None
        assert_model(ecdc)


def test_server_without_ranges(ecdc, hub):
    hub.fault("GET", "model.safetensors", cut_after(300_000), ignores_range)
    ecdc("model", "fetch", NAME)
    assert ranges(hub) == [None, "bytes=300000-"]
    assert_model(ecdc)


# ------------------------------------------------------------------------------------------------- wrong bytes --


def test_wrong_checksum(ecdc, hub):
    wrong = bytearray(WEIGHTS)
    wrong[1_000_000] ^= 1
    hub.fault("GET", "model.safetensors", sends(bytes(wrong)))
    r = ecdc.run("model", "fetch", NAME)
    assert r.status == 1 and r.stderr.splitlines()[-1] == (
        f"ecdc: model.safetensors of {NAME}: what came has the SHA-256 {hashlib.sha256(wrong).hexdigest()}, the hub announced "
        f"{SHA256}; it was not kept, try again")
    assert_no_model(ecdc, hub)
    ecdc("model", "fetch", NAME)
    assert_model(ecdc)


def test_wrong_checksum_of_a_small_file(ecdc, hub):
    hub.fault("GET", "config.json", sends(FILES["config.json"].replace(b"24000", b"24001")))
    ecdc.refuses("model", "fetch", NAME, says=["config.json of some-lab/tiny: what came has the SHA-1", "try again"])
    assert not ecdc.home.exists()


def test_wrong_size(ecdc, hub):
    for other, says in ((WEIGHTS + b"x", "the server sends more bytes than it announced"),
                        (WEIGHTS[:50_000], f"the server sends 50000 bytes instead of the {len(WEIGHTS)} that it announced")):
        hub.fault("GET", "model.safetensors", sends(other))
        r = ecdc.run("model", "fetch", NAME)
        assert r.status == 1 and r.stderr.splitlines()[-1] == f"ecdc: model.safetensors of {NAME}: {says}"
        assert_no_model(ecdc, hub)


@pytest.mark.parametrize("headers, what", [({"X-Repo-Commit": "main"}, "commit (X-Repo-Commit)"),
                                           ({"X-Repo-Commit": "../" * 13 + "a"}, "commit (X-Repo-Commit)"),
                                           ({"ETag": '"../../../evil"'}, "usable ETag"), ({"ETag": '""'}, "usable ETag"),
                                           ({"ETag": '".."'}, "usable ETag")])
def test_not_a_hub(ecdc, hub, headers, what):
    """A page of a hotel's network, or a server that wants out of the cache."""
    hub.extra_headers = headers
    ecdc.refuses("model", "fetch", NAME, says=[f"config.json of {NAME} names no {what}, so {hub.url} is not a Hugging Face hub",
                                               "check HF_ENDPOINT and the proxy"])
    assert not ecdc.home.exists()


def test_other_architecture(ecdc, hub):
    hub.add(NAME, {**FILES, "config.json": json.dumps({"model_type": "wav2vec2"}).encode()})
    ecdc.refuses("model", "fetch", NAME, says=[f"config.json of {NAME}", "wav2vec2"])
    assert hub.count("GET", "model.safetensors") == 0 and not ecdc.home.exists()


@pytest.mark.parametrize("others, says", [
    (["pytorch_model.bin"], "has no model.safetensors, only pytorch_model.bin: load it with transformers, and give the "
                            "directory that save_pretrained writes with -m"),
    (["checkpoint.th"], "only checkpoint.th"), ([], "has no model.safetensors: there is nothing to download")])
def test_other_weights(ecdc, hub, others, says):
    hub.add("some-lab/other", {"config.json": FILES["config.json"], **{name: b"0" for name in others}})
    ecdc.refuses("model", "fetch", "some-lab/other", says=f"some-lab/other {says}" if says.startswith("has") else says)
    hub.add("some-lab/empty", {"x": b"y"})
    ecdc.refuses("model", "fetch", "some-lab/empty", says="some-lab/empty has no config.json")


# ----------------------------------------------------------------------------------------- what the hub refuses --


def test_401(ecdc, hub):
    hub.token = "hf_secret"
    ecdc.refuses("model", "fetch", NAME, says=f"{NAME} does not exist at {hub.url}, or it is private (HTTP 401): check the name; "
                 "for a private model set HF_TOKEN, or log in with `hf auth login`")
    ecdc.env["HF_TOKEN"] = "hf_wrong"
    r = ecdc.refuses("model", "fetch", NAME, says=["or the token in HF_TOKEN may not read it or has expired (HTTP 401)",
                                                   f"{hub.url}/settings/tokens"])
    assert "hf_wrong" not in r.stderr


def test_403(ecdc, hub):
    hub.fault("HEAD", "config.json", answers(403, X_Error_Message="Not for you"), answers(403))
    ecdc.refuses("model", "fetch", NAME, says=f"{hub.url} refuses config.json of {NAME} (HTTP 403, Not for you): set HF_TOKEN to a "
                 "token that may read this model")
    ecdc.refuses("model", "fetch", NAME, env={"HF_TOKEN": "hf_x"}, says="(HTTP 403): the right to read this model is missing for "
                 "the token in HF_TOKEN")


def test_gated(ecdc, hub):
    hub.fault("HEAD", "config.json", answers(401, X_Error_Code="GatedRepo"), answers(403, X_Error_Code="GatedRepo"))
    ecdc.refuses("model", "fetch", NAME, says=f"{NAME} is gated (HTTP 401): accept its conditions at {hub.url}/{NAME}, then set "
                 "HF_TOKEN or log in with `hf auth login`")
    ecdc.refuses("model", "fetch", NAME, env={"HF_TOKEN": "hf_x"}, says=f"is gated (HTTP 403): accept its conditions at "
                 f"{hub.url}/{NAME} with the account of the token in HF_TOKEN")


def test_404(ecdc, hub):
    ecdc.refuses("encode", "in.wav", "-o", "x.npy", "-m", "no/where", says="there is no file or directory no/where, and "
                 f"no/where does not exist at {hub.url} (HTTP 404): check the name")
    ecdc.refuses("model", "fetch", f"{NAME}@v9", says=f"{NAME}@v9".replace("@v9", f" has no revision v9 at {hub.url} (HTTP 404)"))
    hub.fault("HEAD", "config.json", answers(404))
    ecdc.refuses("model", "fetch", NAME, says=f"config.json of {NAME} is not found at {hub.url} (HTTP 404): check the name, and "
                 "HF_ENDPOINT")
    hub.fault("HEAD", "config.json", answers(418))
    ecdc.refuses("model", "fetch", NAME, says=f"{hub.url} answers HTTP 418 for config.json of {NAME}")


def test_429(ecdc, hub):
    hub.fault("HEAD", "config.json", answers(429, Retry_After="1"))
    begin = time.monotonic()
    ecdc("model", "fetch", NAME, says=f"{hub.url} answers HTTP 429; trying again in 1 s")
    assert time.monotonic() - begin >= 1, "Retry-After is kept to"
    hub.fault("HEAD", "config.json", answers(429, Retry_After="3600"))
    ecdc.refuses("model", "fetch", NAME, says="wants to be asked again in 3600 s; a token (HF_TOKEN) raises the limit")
    assert hub.count("HEAD", "config.json") == 3


def test_500(ecdc, hub):
    hub.fault("HEAD", "config.json", *[answers(500, Retry_After="0")] * 5)
    r = ecdc.run("model", "fetch", NAME)
    assert r.status == 1
    assert r.stderr.splitlines() == [f"ecdc: {hub.url} answers HTTP 500; trying again"] * 4 + [
        f"ecdc: {hub.url} fails (HTTP 500 for config.json of {NAME}, 5 tries): try again later"]
    assert hub.count("HEAD", "config.json") == 5
    hub.fault("HEAD", "config.json", answers(502))
    ecdc("model", "fetch", NAME, says="answers HTTP 502; trying again in 1 s")


# ------------------------------------------------------------------------------------------ time, network, offline --


def test_slow_server(ecdc, hub):
    """Slow is not dead: the time-out is for silence."""
    ecdc.env["HF_HUB_DOWNLOAD_TIMEOUT"] = "1"
    hub.fault("GET", "model.safetensors", trickles(8, 0.3))
    ecdc("model", "fetch", NAME)
    assert_model(ecdc)


def test_silent_server(ecdc, hub):
    ecdc.env.update(HF_HUB_DOWNLOAD_TIMEOUT="1", HF_HUB_ETAG_TIMEOUT="1")
    hub.fault("GET", "model.safetensors", stalls_after(300_000, 30))
    ecdc("model", "fetch", NAME, says="the connection failed (")
    assert ranges(hub) == [None, "bytes=300000-"]
    hub.released.clear()
    hub.fault("HEAD", "config.json", lambda handler, data: hub.released.wait(30))
    ecdc.refuses("model", "fetch", NAME, says=[f"no connection to {hub.url}", "timed out"])


def test_no_network_but_cached(ecdc, hub):
    commit = hub.repositories[NAME]["main"]
    ecdc("model", "fetch", NAME)
    hub.close()
    ecdc.refuses("model", "fetch", NAME, says=["no connection to", "; what the cache holds can be used as it is"])
    ecdc("model", "fetch", f"{NAME}@{commit}", says="is here already")
    assert_model(ecdc)


def test_no_network(ecdc, hub):
    hub.close()
    ecdc.refuses("encode", "in.wav", "-o", "x.npy", "-m", NAME,
                 says=[f"{NAME} cannot be downloaded: no connection to {hub.url} (", f"run `ecdc model fetch {NAME}` on a machine "
                       "that has one and shares the Hugging Face cache, or use -m default"])


@pytest.mark.parametrize("variable, value", [("HF_HUB_OFFLINE", "1"), ("HF_HUB_OFFLINE", "yes"), ("TRANSFORMERS_OFFLINE", "TRUE")])
def test_offline(ecdc, hub, variable, value):
    ecdc.env[variable] = value
    for args in ("encode", "in.wav", "-o", "x.npy", "-m", NAME), ("model", "fetch", NAME):
        ecdc.refuses(*args, says=[f"{NAME} is not in the Hugging Face cache: {ecdc.repository} does not exist, and {variable}=1 "
                                  f"forbids to download it: run `ecdc model fetch {NAME}`", "or use -m default"])
    assert hub.connections == 0 and not ecdc.home.exists()
    ecdc("model", "fetch", NAME, env={variable: "0"})
    connections = hub.connections
    ecdc("model", "fetch", NAME, says="is here already")
    ecdc("info", NAME)
    assert hub.connections == connections


@pytest.mark.parametrize("variable, value, says", [
    ("HF_ENDPOINT", "ftp://127.0.0.1", "HF_ENDPOINT=ftp://127.0.0.1: an address that begins with https:// or http:// is needed"),
    ("HF_HUB_ETAG_TIMEOUT", "soon", "HF_HUB_ETAG_TIMEOUT=soon: a whole number of seconds"),
    ("HF_HUB_DOWNLOAD_TIMEOUT", "0", "HF_HUB_DOWNLOAD_TIMEOUT=0: a whole number of seconds"),
    ("HF_TOKEN", "a\nX-Evil: b", "the token in HF_TOKEN is not one")])
def test_variables(ecdc, hub, variable, value, says):
    ecdc.refuses("model", "fetch", NAME, env={variable: value}, says=says)
    assert hub.connections == 0


@pytest.mark.parametrize("name", ["tiny", "a/b/c", "../x", "some-lab/tiny@../x", "some-lab/..", TINY])
def test_names(ecdc, hub, name):
    ecdc.refuses("model", "fetch", name, says="is not the name of a Hugging Face model")
    assert hub.connections == 0


# ------------------------------------------------------------------------------------------------ disk, processes --


def test_disk_full(ecdc, hub):
    """A limit on the size of files stands in for the full disk: the write fails in the middle."""
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (700_000, 700_000))
    p = subprocess.run(ecdc.command(["model", "fetch", NAME]), cwd=ecdc.cwd, env=ecdc.env, capture_output=True, text=True,
                       preexec_fn=limit)
    run.check_healthy(p.returncode, p.stderr)
    assert p.returncode == 1
    assert p.stderr.splitlines()[-1].startswith(f"ecdc: cannot write {ecdc.incomplete}: File too large; the part that had come "
                                                "was removed; free 2.0 MB, or name another place")
    assert_no_model(ecdc, hub)


def test_no_room(ecdc, hub):
    """What does not fit is not begun."""
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", ecdc.cwd],
                                           capture_output=True).returncode:
        pytest.skip("a small file system can be mounted by root only")
    try:
        ecdc.env["HF_HOME"] = str(ecdc.cwd)
        r = ecdc.run("model", "fetch", NAME)
        assert r.status == 1
        assert f"ecdc: {ecdc.cwd}/hub has room for 1.0 MB, 2.0 MB are needed: free some, or name another place" in r.stderr
        assert hub.count("GET", "model.safetensors") == 0
    finally:
        subprocess.run(["umount", ecdc.cwd], check=True)


def test_two_processes(ecdc, hub):
    hub.fault("GET", "model.safetensors", stalls_after(500_000, 30))
    first = ecdc.start("model", "fetch", NAME)
    assert hub.stalled.wait(20)
    second = ecdc.start("model", "fetch", NAME)
    said = second.stderr.readline() + second.stderr.readline() + second.stderr.readline()
    hub.released.set()
    outputs = [p.communicate(timeout=30)[1].decode() for p in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), outputs
    assert b"another process is downloading the same file; waiting" in said
    assert hub.count("GET", "model.safetensors") == 1
    assert_model(ecdc)


def as_nobody(ecdc, directory, *args, **env):
    """Runs the command without root's right to write everywhere."""
    binary = shutil.copy(run.BINARY, directory / "ecdc")
    p = subprocess.run([binary, *map(str, args)], cwd="/", env={**ecdc.env, **env}, capture_output=True, text=True,
                       user=65534 if os.geteuid() == 0 else None)
    run.check_healthy(p.returncode, p.stderr)
    return p


def test_read_only_cache(ecdc, hub):
    ecdc("model", "fetch", NAME)
    with tempfile.TemporaryDirectory() as directory:
        directory = Path(directory)
        home = directory / "home"
        shutil.copytree(ecdc.home, home, symlinks=True)
        directory.chmod(0o755)
        for folder, _, _ in os.walk(home):
            os.chmod(folder, 0o555)
        try:
            p = as_nobody(ecdc, directory, "info", NAME, "--json", HF_HOME=str(home), HF_HUB_OFFLINE="1")
            assert p.returncode == 0 and json.loads(p.stdout)["sha256"] == SHA256
            p = as_nobody(ecdc, directory, "model", "fetch", NAME, HF_HOME=str(home))
            assert p.returncode == 0 and "is here already" in p.stderr
            hub.add("some-lab/other", FILES)
            p = as_nobody(ecdc, directory, "model", "fetch", "some-lab/other", HF_HOME=str(home))
            assert p.returncode == 1
            assert p.stderr.splitlines()[-1] == (
                f"ecdc: cannot create the directory {home}/hub/models--some-lab--other: Permission denied; HF_HUB_CACHE or "
                "HF_HOME names another place for the Hugging Face cache")
        finally:
            for folder, _, _ in os.walk(home):
                os.chmod(folder, 0o755)


def test_codes_of_a_model_that_is_not_here(ecdc, hub):
    """Decoding looks for the model of the codes in the cache; it downloads only what -m names."""
    import files
    (ecdc.cwd / "c.ecdc").write_bytes(files.write_ecdc({"m": "encodec_24khz", "al": 320, "nc": 2, "lm": False}, b"\0\0\0"))
    ecdc.refuses("decode", "c.ecdc", "-o", "c.wav", says="which is not here; give it with -m facebook/encodec_24khz")
    assert hub.connections == 0
    hub.add("facebook/encodec_24khz", FILES)
    ecdc("decode", "c.ecdc", "-o", "c.wav", "-m", "facebook/encodec_24khz", says="downloading facebook/encodec_24khz")
