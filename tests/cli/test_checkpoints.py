"""Weight files in all their forms: .th without and with a config, conversions, broken and hostile ones, and what verify needs."""

import os
import shutil
import struct
import time
import zipfile

import numpy as np
import pytest

import files
from run import ROOT, TINY

TORCH = ROOT / "tests" / "data" / "torch"  # written by torch.save


@pytest.fixture(scope="session")
def th(ecdc_once):
    """The small model as DIR/checkpoint.th."""
    ecdc_once("model", "convert", TINY, "th", "--format", "th", "-q")
    return ecdc_once.cwd / "th"


def test_every_form_gives_the_same_codes(ecdc, sounds, th):
    codes = ecdc.codes(sounds["short.wav"], "-m", TINY)
    shutil.copy(th / "checkpoint.th", ecdc.cwd / "alone.th")
    shutil.copy(TINY / "model.safetensors", ecdc.cwd / "alone.safetensors")
    for model in th, th / "checkpoint.th", "alone.th", "alone.safetensors":
        assert np.array_equal(codes, ecdc.codes(sounds["short.wav"], "-m", model)), model


def test_info_of_a_th(ecdc, th):
    with_config, tiny = (ecdc("info", model, "--json").json for model in (th, TINY))
    shutil.copy(th / "checkpoint.th", ecdc.cwd / "alone.th")
    alone = ecdc("info", "alone.th", "--json").json
    for about in with_config, alone:
        assert {k: v for k, v in about.items() if k not in ("name", "origin", "sha256")} == \
            {k: v for k, v in tiny.items() if k not in ("name", "origin", "sha256")}
    assert with_config["name"] == "th" and alone["name"] == "alone"
    assert with_config["sha256"] == alone["sha256"] != tiny["sha256"]


def test_convert_there_and_back(ecdc, th):
    about = ecdc("model", "convert", th, "back", "--json").json
    assert about["file"] == "model.safetensors" and about["sha256"] == ecdc("info", "back", "--json").json["sha256"]
    header, data = files.read_safetensors((ecdc.cwd / "back" / "model.safetensors").read_bytes())
    wanted, original = files.read_safetensors((TINY / "model.safetensors").read_bytes())
    assert header.keys() == wanted.keys()
    for name in header.keys() - {"__metadata__"}:
        a, b = header[name], wanted[name]
        assert (a["dtype"], a["shape"]) == (b["dtype"], b["shape"])
        assert data[slice(*a["data_offsets"])] == original[slice(*b["data_offsets"])], name


def test_the_same_file_every_time(ecdc, th):
    ecdc("model", "convert", TINY, "again", "--format", "th", "-q")
    assert (ecdc.cwd / "again" / "checkpoint.th").read_bytes() == (th / "checkpoint.th").read_bytes()


def test_half_precision(ecdc, sounds):
    ecdc("model", "convert", TINY, "half", "--dtype", "float16", "-q")
    header, _ = files.read_safetensors((ecdc.cwd / "half" / "model.safetensors").read_bytes())
    assert {t["dtype"] for name, t in header.items() if name.endswith(("bias", "embed", "original1"))} == {"F16"}
    same = ecdc.codes(sounds["short.wav"], "-m", "half") == ecdc.codes(sounds["short.wav"], "-m", TINY)
    assert 0.5 < same.mean() < 1  # other weights, but nearly


def test_convert_refuses(ecdc):
    ecdc.refuses("model", "convert", TINY, "x", "--format", "npy", status=2, says="allowed is safetensors or th")
    ecdc.refuses("model", "convert", TINY, "x", "--dtype", "int16", status=2, says="allowed is float32 or float16")
    ecdc("model", "convert", TINY, "both", "-q")
    ecdc.refuses("model", "convert", TINY, "both", "--format", "th", "-f", says="would be read in place of checkpoint.th")


# ---------------------------------------------------------------------------------------------- bad input --


def put_entries(path, changes, compression=zipfile.ZIP_STORED):
    """The checkpoint of torch with some entries replaced."""
    with zipfile.ZipFile(TORCH / "checkpoint.th") as old, zipfile.ZipFile(path, "w", compression) as new:
        for name in old.namelist():
            new.writestr(name, changes.get(name.split("/", 1)[1], old.read(name)))
    return path


def pickle_of_torch():
    with zipfile.ZipFile(TORCH / "checkpoint.th") as z:
        return z.read("checkpoint/data.pkl")


@pytest.fixture
def broken(ecdc):
    shutil.copy(TORCH / "config.json", ecdc.cwd)
    return ecdc.cwd / "broken.th"


def test_deflated_entries(ecdc, broken):
    put_entries(broken, {}, zipfile.ZIP_DEFLATED)
    assert ecdc("info", broken, "--json").json["codebooks"] == 2


@pytest.mark.parametrize("code, says", [
    (b"\x80\x02cos\nsystem\nX\x0a\x00\x00\x00touch here\x85R.", "byte 2: the pickle refers to os.system"),
    (b"\x80\x02cposix\nsystem\nX\x0a\x00\x00\x00touch here\x85R.", "refers to posix.system"),
    (b"\x80\x02(S'touch here'\nios\nsystem\n.", "byte 3: the pickle's instruction 0x53 (S)"),
    (b"\x80\x04\x95", "protocol 4"),
    (b"", "the pickle is cut short"),
])
def test_hostile_pickles(ecdc, broken, code, says):
    put_entries(broken, {"data.pkl": code})
    ecdc.refuses("info", broken, says=["broken.th: data.pkl, ", says])
    assert not (ecdc.cwd / "here").exists()


def test_a_call_in_the_midst_of_a_good_pickle(ecdc, broken):
    code = pickle_of_torch()
    put_entries(broken, {"data.pkl": code.replace(b"ctorch._utils\n_rebuild_tensor_v2\n", b"cbuiltins\nexec\n", 1)})
    ecdc.refuses("info", broken, says="the pickle refers to builtins.exec, which no state dict of tensors needs; it was not run")


def test_a_bomb(ecdc, broken):
    """A storage that says, honestly, to hold 40 MB of zeros, in a file of 80 kB; and a pickle that is one."""
    code, numbers = pickle_of_torch(), 10_000_000
    at = code.index(b"K", code.index(b"cpu"))
    code = code[:at] + b"J" + struct.pack("<i", numbers) + code[at + 2:]
    put_entries(broken, {"data.pkl": code, "data/0": bytes(4 * numbers)}, zipfile.ZIP_DEFLATED)
    assert broken.stat().st_size < 100_000
    ecdc.refuses("info", broken, says="its tensors are more than 16 times as large as the file")
    put_entries(broken, {"data.pkl": b"\x80\x02" + b"}" * 30_000_000}, zipfile.ZIP_DEFLATED)
    ecdc.refuses("info", broken, says=["data.pkl has 30000002 bytes; at most 4194304 are expected"])


def test_a_storage_shorter_than_its_tensors(ecdc, broken):
    put_entries(broken, {"data/5": b"\0\0\0"})
    ecdc.refuses("info", broken, says=["checkpoint/data/5 has 3 bytes, but tensor"])


def test_truncated(ecdc, broken):
    data = (TORCH / "checkpoint.th").read_bytes()
    for tenth in range(10):
        broken.write_bytes(data[:len(data) * tenth // 10])
        ecdc.refuses("info", broken, says="broken.th")


def test_a_codebook_of_one_entry(ecdc):
    """Found by the fuzzer: codes of no bits, of which any bandwidth would have infinitely many. Without config.json, which has bounds."""
    name = "quantizer.layers.0.codebook.embed"
    header, data = files.read_safetensors((TINY / "model.safetensors").read_bytes())
    header[name]["shape"] = [1, int(np.prod(header[name]["shape"]))]
    (ecdc.cwd / "alone.safetensors").write_bytes(files.write_safetensors(header, data))
    ecdc.refuses("info", "alone.safetensors", says=[f"tensor {name} has 1 entry", "a codebook has 2 or more"])


# ------------------------------------------------------------------------------------------------- verify --


def fake_python(ecdc, name, text):
    path = ecdc.cwd / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


def test_verify_without_transformers(ecdc):
    fake_python(ecdc, "bin/python3", "exit 77\n")
    env = {"PATH": str(ecdc.cwd / "bin"), "VIRTUAL_ENV": ""}
    ecdc.refuses("model", "verify", TINY, env=env, says=["python3 lacks numpy, torch or transformers", "pip install torch transformers",
                                                        "--python FILE"])
    ecdc.refuses("model", "verify", TINY, "--python", "no/python", says="no/python cannot be run")
    ecdc.refuses("model", "verify", "nowhere", says="no model `nowhere`")
    ecdc.refuses("model", "verify", status=2, says="usage: ecdc model")


def test_verify_hands_over(ecdc, sounds, th):
    """The program gets the weights in transformers' form and the sound at the model's rate; its status is the command's."""
    text = """printf %s "$2" > program
shift 2
printf '%s\\n' "$@" > args
ls "$3" > model-files
cp "$5" sound.wav 2>/dev/null
echo '{"pass": true}'
exit 0
"""
    python = fake_python(ecdc, "venv/bin/python", text)
    r = ecdc("model", "verify", th, "--audio", sounds["stereo.wav"], "--json", "--threads", "3",
             env={"VIRTUAL_ENV": str(ecdc.cwd / "venv")})
    assert r.json == {"pass": True}
    _, model, _, _, _, as_json, *options = (ecdc.cwd / "args").read_text().splitlines()
    assert model == str(th) and as_json == "1"
    assert (ecdc.cwd / "program").read_text() == (ROOT / "cli" / "verify.py").read_text()
    assert options == ["--cpu", "auto", "--threads", "3"]
    assert (ecdc.cwd / "model-files").read_text().split() == ["config.json", "model.safetensors"]
    assert (ecdc.cwd / "sound.wav").stat().st_size > 57601 // 2 * 4
    fake_python(ecdc, "venv/bin/python", "echo differs; exit 1\n")
    r = ecdc.run("model", "verify", TINY, "--python", python)
    assert r.status == 1 and r.text == "differs\n" and r.stderr == ""


def test_verify_when_a_signal_ends_it(ecdc):
    """That is no sign of a Python that lacks something: no other one is tried, and nothing stays behind."""
    fake_python(ecdc, "bin/python3", "touch another-ran\n")
    (ecdc.cwd / "tmp").mkdir()
    env = {"PATH": f"{ecdc.cwd / 'bin'}:{os.environ['PATH']}", "VIRTUAL_ENV": str(ecdc.cwd / "venv"), "TMPDIR": str(ecdc.cwd / "tmp")}
    for text, says in [("kill -SEGV $$", "venv/bin/python, which ran the comparison, was ended by a signal (Segmentation fault)"),
                       ("kill -INT $PPID; exec sleep 90", "interrupted"), ("kill -INT $PPID; sleep 0.3; exit 77", "interrupted"),
                       ("trap 'exit 0' TERM; kill -TERM $PPID; while :; do sleep 0.1; done", "interrupted")]:
        fake_python(ecdc, "venv/bin/python", text + "\n")
        started = time.monotonic()
        ecdc.refuses("model", "verify", TINY, env=env, says=says)
        assert time.monotonic() - started < 60, text
