"""ecdc autoencoder run: codes through a model that is known, into rows that ecdc reconstruct takes."""

import hashlib
import json

import numpy as np
import pytest

import files
from run import TINY

ENTRIES, BITS = 1024, 10


def write_model(path, tensors, **metadata):
    header, blobs, at = {"__metadata__": metadata}, [], 0
    for name, tensor in tensors.items():
        blobs.append(np.ascontiguousarray(tensor, "<f4").tobytes())
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [at, at + len(blobs[-1])]}
        at += len(blobs[-1])
    path.write_bytes(files.write_safetensors(header, b"".join(blobs)))
    return path


def identity(n_codebooks):
    """Tensors of a model that gives back what it gets: a code is its 10 binary digits, -1 or 1, and patches are single frames. x and -x
    pass through ELU side by side, and their difference has the sign of x."""
    n = n_codebooks * BITS
    digits = 2.0 * (np.arange(ENTRIES)[:, None] >> np.arange(BITS) & 1) - 1
    table = np.zeros((n_codebooks, ENTRIES, n))
    for q in range(n_codebooks):
        table[q, :, q * BITS:(q + 1) * BITS] = digits
    both = np.concatenate([np.eye(n), -np.eye(n)])
    return {"embedding": table, "encoder.0.weight": both, "encoder.0.bias": np.zeros(2 * n), "encoder.2.weight": both.T,
            "encoder.2.bias": np.zeros(n), "decoder.0.weight": both, "decoder.0.bias": np.zeros(2 * n), "decoder.2.weight": both.T,
            "decoder.2.bias": np.zeros(n), "head_weight": table, "head_bias": np.zeros((n_codebooks, ENTRIES))}


@pytest.fixture
def model(ecdc):
    return write_model(ecdc.cwd / "model.safetensors", identity(4), frames_per_tr="112")


def features(ecdc, sounds, *options):
    ecdc("features", sounds["talk.wav"], "-o", "f.npy", "-m", TINY, "-f", "-q", *options)
    return np.load(ecdc.cwd / "f.npy")


@pytest.mark.parametrize("options", [(), ("--layout", "flat"), ("--dtype", "int16")])
def test_what_comes_back_has_shape_dtype_and_description(ecdc, sounds, model, options):
    codes = features(ecdc, sounds, *options)
    said = ecdc("autoencoder", "run", model, "f.npy", "-o", "back.npy", "--json").json
    back = np.load(ecdc.cwd / "back.npy")
    assert back.dtype == codes.dtype and np.array_equal(back, codes)
    assert (said["n_trs"], said["codes_equal"], said["bottleneck"]) == (len(codes), 1, 4480)
    assert said["parameters"] == sum(t.size for t in identity(4).values())

    before, after = (json.loads((ecdc.cwd / name).read_text()) for name in ("f.json", "back.json"))
    array, origin = after.pop("npy"), after.pop("autoencoder")
    before.pop("npy")
    assert after == before
    assert array["sha256"] == hashlib.sha256((ecdc.cwd / "back.npy").read_bytes()).hexdigest()
    assert origin == {"path": str(model), "sha256": hashlib.sha256(model.read_bytes()).hexdigest()}
    assert (ecdc.cwd / "back.tsv").read_bytes() == (ecdc.cwd / "f.tsv").read_bytes()

    for name in ("f", "back"):
        ecdc("reconstruct", f"{name}.npy", "-o", f"{name}.wav", "-m", TINY, "-q")
    assert (ecdc.cwd / "back.wav").read_bytes() == (ecdc.cwd / "f.wav").read_bytes()


def test_frames_that_a_tr_does_not_have_stay_away(ecdc, sounds):
    codes = features(ecdc, sounds, "--alignment", "exact", "--partial")
    assert (codes == -1).any()
    model = write_model(ecdc.cwd / "model.safetensors", identity(4), frames_per_tr="113")
    ecdc("autoencoder", "run", model, "f.npy", "-o", "back.npy", says="100.0 % of the codes came back")
    assert np.array_equal(np.load(ecdc.cwd / "back.npy"), codes)


def test_logits_and_bottleneck(ecdc, sounds, model):
    codes = features(ecdc, sounds)
    ecdc("autoencoder", "run", model, "f.npy", "-o", "back.npy", "--logits", "l.npy", "--bottleneck", "b.npy", "-q")
    logits, bottleneck = np.load(ecdc.cwd / "l.npy"), np.load(ecdc.cwd / "b.npy")
    assert logits.shape == (*codes.shape, ENTRIES) and logits.dtype == np.float32
    assert np.array_equal(logits.argmax(-1), codes)
    digits = 2 * (codes[..., None] >> np.arange(BITS) & 1) - 1  # (n_trs, codebooks, frames, digits)
    expected = digits.transpose(0, 2, 1, 3).reshape(len(codes), -1) * (1 - np.expm1(-1))
    assert bottleneck.dtype == np.float32
    np.testing.assert_allclose(bottleneck, expected, atol=1e-6)


def test_threads_and_kernels_change_no_code(ecdc, model):
    rng = np.random.default_rng(3)
    tensors = {name: tensor + 0.3 * rng.standard_normal(tensor.shape) for name, tensor in identity(2).items()}
    write_model(model, tensors, frames_per_tr="9")
    np.save(ecdc.cwd / "c.npy", rng.integers(0, ENTRIES, (50, 2, 9)))
    results = []
    for i, options in enumerate([("--threads", 1), ("--threads", 3), ("--cpu", "reference")]):
        ecdc("autoencoder", "run", model, "c.npy", "-o", f"{i}.npy", "--logits", f"l{i}.npy", *options)
        results.append(np.load(ecdc.cwd / f"l{i}.npy"))
    assert np.array_equal(results[0], results[1])
    np.testing.assert_allclose(results[2], results[0], atol=1e-4)


def test_without_a_description_there_is_none_afterwards(ecdc, model):
    np.save(ecdc.cwd / "c.npy", np.arange(3 * 448).reshape(3, 4, 112) % ENTRIES)
    ecdc("autoencoder", "run", model, "c.npy", "-o", "back.npy")
    assert not (ecdc.cwd / "back.json").exists() and not (ecdc.cwd / "back.tsv").exists()
    piped = ecdc("autoencoder", "run", model, "c.npy", "-o", "-", "--format", "npy").stdout
    assert piped == (ecdc.cwd / "back.npy").read_bytes()


def test_what_an_older_array_left_is_not_taken_for_the_new_ones(ecdc, sounds, model):
    features(ecdc, sounds, "--tr", "1.5")
    ecdc("autoencoder", "run", model, "f.npy", "-o", "back.npy", "-q")
    (ecdc.cwd / "back.npy").unlink()
    np.save(ecdc.cwd / "c.npy", np.arange(3 * 448).reshape(3, 4, 112) % ENTRIES)
    ecdc.refuses("autoencoder", "run", model, "c.npy", "-o", "back.npy",
                 says=["back.tsv: exists already and does not belong to the features (-f removes it)"])
    (ecdc.cwd / "back.tsv").unlink()
    ecdc.refuses("autoencoder", "run", model, "c.npy", "-o", "back.npy", says=["back.json: exists already"])
    np.save(ecdc.cwd / "wrong.npy", np.full((3, 4, 112), 2000))
    ecdc.refuses("autoencoder", "run", model, "wrong.npy", "-o", "back.npy", "-f", says="code 2000")  # and keeps back.json
    (ecdc.cwd / "back.tsv").write_text("old")
    ecdc("autoencoder", "run", model, "c.npy", "-o", "back.npy", "-f", "-q")
    assert not (ecdc.cwd / "back.json").exists() and not (ecdc.cwd / "back.tsv").exists()


def test_codes_of_another_model(ecdc, sounds, model):
    features(ecdc, sounds)
    sha = json.loads((ecdc.cwd / "f.json").read_text())["model"]["sha256"]
    write_model(model, identity(4), frames_per_tr="112", model="other", model_sha256="0" * 64)
    ecdc.refuses("autoencoder", "run", model, "f.npy", "-o", "back.npy", says=["f.npy was made with the model", "was trained on codes of other"])
    ecdc("autoencoder", "run", model, "f.npy", "-o", "back.npy", "--force")
    write_model(model, identity(4), frames_per_tr="112", model="tiny24", model_sha256=sha)
    ecdc("autoencoder", "run", model, "f.npy", "-o", "back.npy", "-f")


@pytest.mark.parametrize("array, says", [
    (np.zeros((2, 4, 111), np.int64), "has the shape (2, 4, 111), "),
    (np.zeros((2, 3, 112), np.int64), "was trained on (n_trs, 4, 112), which may come as (n_trs, 448)"),
    (np.zeros((2, 447), np.int64), "has the shape (2, 447)"),
    (np.zeros(448, np.int64), "has the shape (448), "),
    (np.zeros((2, 4, 112), np.float32), "the array is float32, codes are integers"),
    (np.zeros((2, 4, 112), np.int64, order="F"), "Fortran order"),
    (np.full((2, 4, 112), 1024), "c.npy, from TR 0 on: code 1024 of TR 0, codebook 0, frame 0 is out of range; allowed are 0 to 1023"),
    (np.full((2, 4, 112), -2, np.int16), "code -2 of TR 0"),
])
def test_features_that_do_not_fit(ecdc, model, array, says):
    np.save(ecdc.cwd / "c.npy", array)
    ecdc.refuses("autoencoder", "run", model, "c.npy", "-o", "back.npy", "--logits", "l.npy", says=["c.npy", says])


def test_models_that_are_none(ecdc, model):
    np.save(ecdc.cwd / "c.npy", np.zeros((2, 4, 112), np.int64))
    tensors = identity(4)
    del tensors["decoder.2.bias"]
    write_model(ecdc.cwd / "part.safetensors", tensors, frames_per_tr="112")
    ecdc.refuses("autoencoder", "run", "part.safetensors", "c.npy", "-o", "b.npy", says="part.safetensors: no tensor decoder.2.bias")
    tensors = identity(4)
    tensors["head_bias"][3, 7] = np.nan
    write_model(ecdc.cwd / "nan.safetensors", tensors, frames_per_tr="112")
    ecdc.refuses("autoencoder", "run", "nan.safetensors", "c.npy", "-o", "b.npy", says="head_bias holds a number that is infinite or not a number")
    (ecdc.cwd / "cut.safetensors").write_bytes(model.read_bytes()[:-4])
    ecdc.refuses("autoencoder", "run", "cut.safetensors", "c.npy", "-o", "b.npy", says=["cut.safetensors", "head_bias"])
    ecdc.refuses("autoencoder", "run", TINY / "model.safetensors", "c.npy", "-o", "b.npy",
                 says=["is no autoencoder of examples/train_code_autoencoder.py", "it holds an EnCodec model"])
    ecdc.refuses("autoencoder", "run", "none.safetensors", "c.npy", "-o", "b.npy", says="none.safetensors")


def test_usage(ecdc, model):
    np.save(ecdc.cwd / "c.npy", np.zeros((2, 4, 112), np.int64))
    ecdc.refuses("autoencoder", "train", model, "c.npy", "-o", "b.npy", status=2, says="usage: ecdc autoencoder run")
    ecdc.refuses("autoencoder", "run", model, "-o", "b.npy", status=2, says="usage: ecdc autoencoder run")
    ecdc.refuses("autoencoder", "run", model, "c.npy", "-o", "b.wav", status=2, says="a name that ends in .npy is needed")
    ecdc.refuses("autoencoder", "run", model, "c.npy", "-o", "c.npy", "-f", status=2, says="c.npy is the input")
    ecdc.refuses("autoencoder", "run", model, "c.npy", "-o", "b.npy", "--logits", "b.npy", status=2, says="name the same file")
    (ecdc.cwd / "here").symlink_to(".")
    for options in (("--logits", "./b.npy"), ("--logits", ecdc.cwd / "b.npy"), ("--bottleneck", "here/b.npy"),
                    ("--logits", "l.npy", "--bottleneck", "./l.npy"), ("--logits", "-", "--bottleneck", "-")):
        ecdc.refuses("autoencoder", "run", model, "c.npy", "-o", "b.npy", *options, status=2, says="name the same file")
    for option in "--logits", "--bottleneck":
        ecdc.refuses("autoencoder", "run", model, "c.npy", "-o", "b.npy", option, "-", "--json", status=2,
                     says="an array to standard output and --json would both write there")
    ecdc("autoencoder", "run", model, "c.npy", "-o", "b.npy", "--logits", "/dev/null", "--bottleneck", "l/../b.npy/../l.npy", "-q", "-f")        if False else ecdc("autoencoder", "run", model, "c.npy", "-o", "b.npy", "--logits", "/dev/null", "-q")
    (ecdc.cwd / "l.npy").symlink_to("b.npy")
    ecdc.refuses("autoencoder", "run", model, "c.npy", "-o", "b.npy", "--logits", "l.npy", "-f", status=2, says="name the same file")
    ecdc.refuses("autoencoder", "run", model, "c.npy", "-o", "b.npy", says="b.npy")
    assert "--bottleneck FILE.npy" in ecdc("autoencoder", "--help").text


@pytest.mark.parametrize("option", ["-o", "--logits", "--bottleneck"])
@pytest.mark.parametrize("name", ["f.npy", "model.npy"])
def test_no_output_takes_the_place_of_an_input(ecdc, model, option, name):
    model.rename(ecdc.cwd / "model.npy")  # so that -o would take the name
    np.save(ecdc.cwd / "f.npy", np.zeros((2, 4, 112), np.int64))
    others = [] if option == "-o" else ["-o", "back.npy"]
    ecdc.refuses("autoencoder", "run", "model.npy", "f.npy", *others, option, f"./{name}", "-f", status=2,
                 says=f"./{name} is the input: give the output another name")


def test_a_description_that_is_there_is_seen_before_the_work(ecdc, sounds, model):
    features(ecdc, sounds)
    (ecdc.cwd / "back.json").write_text("{}")
    np.save(ecdc.cwd / "f.npy", np.full((4, 4, 112), 2000))  # rows that would fail if they were run
    ecdc.refuses("autoencoder", "run", model, "f.npy", "-o", "back.npy", says="back.json: exists already")
