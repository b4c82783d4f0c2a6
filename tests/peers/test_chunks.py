"""Models with chunks, such as the 48 kHz stereo model: codes, scales and sound against transformers, `.ecdc` files against the
published tool, and other shapes than the published one."""
import importlib
import io
import struct
import warnings

import numpy as np
import pytest
import safetensors.torch
import torch
import transformers
from compare import ROOT, Command, Peer, check_sound, published_package, read_wav, write_wav

RATE, CHUNK, STRIDE, HOP = 48000, 48000, 47520, 320
encodec = published_package()
tool_files = importlib.import_module("encodec.compress")  # the package has a function of that name, too
TINY48 = ROOT / "tests" / "data" / "tiny48"


class ChunkPeer(Peer):
    """(samples, channels) in, (chunks, codebooks, frames) and (chunks,) out."""

    @torch.no_grad()
    def encode(self, samples, kbps):
        out = self.model.encode(torch.from_numpy(samples.T.copy())[None], bandwidth=kbps)
        scales = np.array([1.0 if s is None else s.item() for s in out.audio_scales], np.float32)
        return out.audio_codes[:, 0].numpy(), scales, out.last_frame_pad_length

    @torch.no_grad()
    def decode(self, codes, scales, pad):
        codes = torch.from_numpy(codes.astype(np.int64))[:, None]
        normalize = self.model.config.normalize
        scales = [torch.tensor(s).view(1, 1) if normalize else None for s in scales]
        return self.model.decode(codes, scales, last_frame_pad_length=pad).audio_values[0].numpy().T

    @torch.no_grad()
    def encode_chunk(self, samples, kbps):
        """One chunk alone: (codebooks, frames) and its scale."""
        codes, scale = self.model._encode_frame(torch.from_numpy(samples.T.copy())[None], kbps)
        return codes[0].numpy(), 1.0 if scale is None else scale.item()

    @torch.no_grad()
    def decode_chunk(self, codes, scale):
        scale = torch.tensor(scale).view(1, 1) if self.model.config.normalize else None
        return self.model._decode_frame(torch.from_numpy(codes)[None], scale)[0].numpy().T

    def check_codes(self, samples, kbps, codes, scales, title):
        """Promise 1 for every chunk."""
        wanted, wanted_scales, pad = self.encode(samples, kbps)
        wanted = np.pad(wanted, ((0, 0), (0, 0), (0, codes.shape[2] - wanted.shape[2])))
        assert codes.shape == wanted.shape and codes.dtype == np.int64
        np.testing.assert_allclose(scales, wanted_scales, rtol=1e-5)
        equal, gap = codes == wanted, 0.0
        for k in range(len(codes)):
            chunk = samples[k * STRIDE:k * STRIDE + CHUNK]
            frames = -(-len(chunk) // HOP)
            assert not codes[k, :, frames:].any()
            gap = max(gap, self.chunk_gap(chunk, codes[k, :, :frames], wanted[k, :, :frames]))
        print(f"{title}: {100 * equal.mean():.4f} % of {equal.size} codes equal, {100 * equal[:, 0].mean():.4f} % of codebook 0, "
              f"largest relative gap at a first difference {gap:.1e}")
        assert equal.mean() >= 0.999 and equal[:, 0].mean() >= 0.9999 and gap < 1e-4

    def chunk_gap(self, chunk, codes, others):
        x = chunk.astype(np.float64)
        x = x / (np.sqrt(np.mean(x.mean(axis=1) ** 2)) + 1e-8)
        return self.gap_of(torch.from_numpy(x.T.copy())[None], codes, others)


def overlap_add(chunks):
    """The reference's overlap-add, without its failure where the last chunk is short."""
    length = len(chunks[0])
    t = np.linspace(0, 1, length + 2)[1:-1]
    weight = (0.5 - np.abs(t - 0.5))[:, None]
    total = max(k * STRIDE + len(chunk) for k, chunk in enumerate(chunks))
    out, sum_weight = np.zeros((total, chunks[0].shape[1])), np.zeros((total, 1))
    for k, chunk in enumerate(chunks):
        out[k * STRIDE:k * STRIDE + len(chunk)] += weight[:len(chunk)] * chunk
        sum_weight[k * STRIDE:k * STRIDE + len(chunk)] += weight[:len(chunk)]
    return out / sum_weight


def encode_npz(ecdc, sound, to, *args):
    ecdc("encode", sound, "-o", to, "-q", "-f", *args)
    with np.load(to) as z:
        return z["codes"], z["scales"], int(z["audio_length"])


def decode(ecdc, codes, to, *args, rate=RATE, channels=2):
    ecdc("decode", codes, "-o", to, "--float", "-q", "-f", *args)
    return read_wav(to, rate, channels)


def save_npz(path, codes, scales, n_samples):
    np.savez(path, codes=codes.astype(np.int64), scales=scales, audio_length=np.int64(n_samples))
    return path


@pytest.fixture(scope="module")
def stereo(speech):
    """4.31 s at 48 kHz: the recording on the left, later and softer on the right, with noise of its own."""
    left = np.repeat(speech[0][:103500], 2)
    right = 0.7 * np.roll(left, 53) + 0.01 * np.random.default_rng(1).standard_normal(len(left))
    return np.stack([left, right], axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def random48(workplace):
    directory = workplace / "random48"
    Command(workplace / "no-hub")("model", "convert", "random:encodec_48khz", directory, "-q")
    return directory


@pytest.fixture(scope="module")
def peer48(random48):
    return ChunkPeer(random48)


# ---------------------------------------------------------------------------------------------- transformers ---

@pytest.mark.parametrize("cpu, kbps", [("auto", 24), ("auto", 3), ("avx2", 24), ("reference", 6)])
def test_full_size(ecdc, random48, peer48, stereo, tmp_path, cpu, kbps):
    samples = stereo[:60000] if cpu == "reference" else stereo
    wav = write_wav(tmp_path / "in.wav", samples, RATE)
    codes, scales, n = encode_npz(ecdc, wav, tmp_path / "out.npz", "-m", random48, "-b", kbps, "--cpu", cpu)
    assert n == len(samples)
    title = f"full size 48 kHz, {kbps} kbps, {n / RATE:.2f} s, {cpu}"
    peer48.check_codes(samples, float(kbps), codes, scales, title)
    wanted, scales, pad = peer48.encode(samples, float(kbps))
    theirs = save_npz(tmp_path / "theirs.npz", wanted, scales, n)
    check_sound(peer48.decode(wanted, scales, pad)[:n],
                decode(ecdc, theirs, tmp_path / "out.wav", "-m", random48, "--cpu", cpu), title)


@pytest.mark.parametrize("n", [1, 320, 321, 47520, 47680, 47681, 47840, 47841, 48000, 48001, 95040, 95041, 95200, 95201, 95360,
                               96000])
def test_lengths(ecdc, stereo, tmp_path, n):
    """Around every border; among them those where transformers' encode or decode fails: each chunk alone, put together here."""
    peer, samples = ChunkPeer(TINY48), stereo[:n]
    wav = write_wav(tmp_path / "in.wav", samples, RATE)
    codes, scales, found = encode_npz(ecdc, wav, tmp_path / "out.npz", "-m", TINY48, "-b", 6)
    assert found == n and codes.shape == (-(-n // STRIDE), 4, 150)
    sounds = []
    for k in range(len(codes)):
        wanted, scale = peer.encode_chunk(samples[k * STRIDE:k * STRIDE + CHUNK], 6.0)
        np.testing.assert_array_equal(codes[k, :, :wanted.shape[1]], wanted)
        assert not codes[k, :, wanted.shape[1]:].any()
        np.testing.assert_allclose(scales[k], scale, rtol=1e-5)
        sounds.append(peer.decode_chunk(wanted, scale))
    check_sound(overlap_add(sounds)[:n], decode(ecdc, tmp_path / "out.npz", tmp_path / "out.wav", "-m", TINY48), f"{n} samples")


# -------------------------------------------------------------------------------------------------- the tool ---

@pytest.fixture(scope="module")
def tool48(random48):
    """The package's own 48 kHz model with the generated weights."""
    model = encodec.EncodecModel.encodec_model_48khz(pretrained=False)
    model.name = "encodec_48khz"  # without its own weights it is "unset"
    tensors = {}
    for name, tensor in safetensors.torch.load_file(random48 / "model.safetensors").items():
        name = name.replace(".layers.", ".model.", 1)
        if name.startswith("quantizer."):
            name = name.replace("quantizer.model.", "quantizer.vq.layers.").replace(".codebook.", "._codebook.")
        elif ".lstm." not in name:
            stem, kind, last = name.rsplit(".", 2)
            inner = "conv.conv" if kind == "conv" else "conv.norm"
            transposed = f"{stem}.{inner.replace('conv.', 'convtr.', 1).replace('.conv', '.convtr')}.{last}"
            name = transposed if transposed in model.state_dict() else f"{stem}.{inner}.{last}"
        tensors[name] = tensor
    missing, unexpected = model.load_state_dict(tensors, strict=False)
    assert not unexpected
    assert all(name.endswith(("embed_avg", "cluster_size", "inited")) for name in missing)
    return model.eval()


def read_file(data):
    """(header, [(scale, codes)]) as the tool's reader finds them."""
    stream = io.BytesIO(data)
    header, chunks = encodec.binary.read_ecdc_header(stream), []
    for start in range(0, header["al"], STRIDE):
        scale, = struct.unpack("!f", stream.read(4))
        unpacker = encodec.binary.BitUnpacker(10, stream)
        frames = -(-min(CHUNK, header["al"] - start) // HOP)
        chunks.append((scale, np.array([[unpacker.pull() for _ in range(header["nc"])] for _ in range(frames)]).T))
    assert not stream.read()
    return header, chunks


@pytest.mark.parametrize("kbps", [3, 24])
def test_tool(ecdc, tool48, random48, stereo, tmp_path, monkeypatch, kbps):
    """The tool's compress and decompress on the same sound and weights: the same bytes, but for a scale's last bit, which
    depends on the order in which a million squares are summed; and each decodes what the other wrote."""
    monkeypatch.setitem(tool_files.MODELS, "encodec_48khz", lambda: tool48)
    tool48.set_target_bandwidth(float(kbps))
    wav = write_wav(tmp_path / "in.wav", stereo, RATE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = tool_files.compress(tool48, torch.from_numpy(stereo.T.copy()), use_lm=False)
    ecdc("encode", wav, "-o", tmp_path / "ours.ecdc", "-q", "-m", random48, "-b", kbps)
    ours = (tmp_path / "ours.ecdc").read_bytes()
    (our_header, our_chunks), (header, chunks) = read_file(ours), read_file(theirs)
    assert our_header.pop("sha") and our_header.pop("m") == "random48"
    assert header.pop("m") == "encodec_48khz" and our_header == header
    equal = np.concatenate([(a == b).ravel() for (_, a), (_, b) in zip(our_chunks, chunks)])
    scales = np.array([[a, b] for (a, _), (b, _) in zip(our_chunks, chunks)], np.float32)
    print(f"the tool's codes at {kbps} kbps: {100 * equal.mean():.3f} % of {equal.size} equal, "
          f"{(scales[:, 0] == scales[:, 1]).sum()} of {len(scales)} scales to the bit")
    assert len(our_chunks) == len(chunks) == 5 and equal.mean() >= 0.999
    np.testing.assert_allclose(scales[:, 0], scales[:, 1], rtol=3e-7)

    # in the published model's name both tools read it
    published = tmp_path / "published.ecdc"
    start = io.BytesIO()
    encodec.binary.write_ecdc_header(start, {"m": "encodec_48khz", **header})
    published.write_bytes(start.getvalue() + ours[len(ours) - (len(theirs) - len(start.getvalue())):])
    sound, rate = tool_files.decompress(published.read_bytes())
    assert rate == RATE
    check_sound(sound.numpy().T, decode(ecdc, published, tmp_path / "a.wav", "-m", random48, "--force"), "ecdc's file, by the tool")
    (tmp_path / "theirs.ecdc").write_bytes(theirs)
    sound, _ = tool_files.decompress(theirs)
    check_sound(sound.numpy().T, decode(ecdc, tmp_path / "theirs.ecdc", tmp_path / "b.wav", "-m", random48, "--force"),
                "the tool's file, by ecdc")


# -------------------------------------------------------------------------------------------------- shapes ---

SMALL = dict(sampling_rate=8000, audio_channels=2, normalize=True, chunk_length_s=0.25, overlap=0.1, use_causal_conv=False,
             norm_type="time_group_norm", num_filters=8, hidden_size=16, codebook_dim=16, upsampling_ratios=[5, 4, 2],
             target_bandwidths=[2.0, 8.0])
SHAPES = {
    "small": {},
    "mono": dict(audio_channels=1),
    "not normalised": dict(normalize=False),
    "causal": dict(use_causal_conv=True),
    "causal, weight norm": dict(use_causal_conv=True, norm_type="weight_norm"),
    "weight norm": dict(norm_type="weight_norm", normalize=False),
    "no overlap": dict(overlap=0.0),
    "many chunks at each place": dict(overlap=0.7),
    "chunks of no whole frames": dict(chunk_length_s=0.2501, overlap=0.1),
    "chunks of less than a frame": dict(chunk_length_s=0.004, overlap=0.1, sampling_rate=1000, upsampling_ratios=[4, 2]),
    "even kernels": dict(kernel_size=6, last_kernel_size=4, residual_kernel_size=2),
    "long kernels": dict(kernel_size=31, last_kernel_size=15, residual_kernel_size=9),
    "odd ratios": dict(upsampling_ratios=[7, 3, 1]),
    "no residual layers": dict(num_residual_layers=0),
    "dilated, identity": dict(use_conv_shortcut=False, num_residual_layers=3, dilation_growth_rate=3, residual_kernel_size=5),
    "dilated": dict(num_residual_layers=2, compress=4),
    "odd widths": dict(num_filters=5, hidden_size=9, codebook_dim=9, num_lstm_layers=1),
}
SHAPE_LENGTHS = [1, 41, 1801, 2001, 4900]


@pytest.fixture(scope="module", params=SHAPES.values(), ids=SHAPES.keys())
def shaped(request, tmp_path_factory):
    torch.manual_seed(1)
    model = transformers.EncodecModel(transformers.EncodecConfig(**{**SMALL, **request.param})).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "bias" in name:
                parameter.normal_(0, 0.1)
            elif "norm.weight" in name:
                parameter.uniform_(0.5, 1.5)
        scale = model.encoder(torch.randn(1, model.config.audio_channels, 2000)).std()
        for layer in model.quantizer.layers:  # entries of the size of what is left over
            layer.codebook.embed.copy_(scale * torch.randn_like(layer.codebook.embed))
            scale = 0.7 * scale
    directory = tmp_path_factory.mktemp("shape")
    model.save_pretrained(directory)
    return directory


@pytest.mark.parametrize("cpu", ["auto", "reference"])
def test_shapes(ecdc, shaped, tmp_path, cpu):
    peer = ChunkPeer(shaped)
    config = peer.model.config
    rate, stride = config.sampling_rate, config.chunk_stride
    samples = 0.3 * np.random.default_rng(2).standard_normal((SHAPE_LENGTHS[-1], config.audio_channels)).astype(np.float32)
    for n in SHAPE_LENGTHS:
        wav = write_wav(tmp_path / "in.wav", samples[:n], rate)
        done = ecdc.run("encode", wav, "-o", tmp_path / "out.npz", "-f", "-q", "-m", shaped, "-b", 8, "--cpu", cpu)
        if "has no" in done.stderr:
            pytest.skip(done.stderr)
        assert done.returncode == 0, done.stderr
        with np.load(tmp_path / "out.npz") as z:
            codes, scales = z["codes"], z["scales"]
        assert len(codes) == -(-n // stride)
        for k in sorted({0, 1, *range(len(codes) - 3, len(codes))} & set(range(len(codes)))):
            wanted, scale = peer.encode_chunk(samples[k * stride:min(n, k * stride + config.chunk_length)], 8.0)
            np.testing.assert_array_equal(codes[k, :, :wanted.shape[1]], wanted, err_msg=f"chunk {k} of {n} samples")
            np.testing.assert_allclose(scales[k], scale, rtol=1e-5)
        try:
            wanted, scales, pad = peer.encode(samples[:n], 8.0)
            want_sound = peer.decode(wanted, scales, pad)
        except RuntimeError:
            continue  # a length that the reference cannot put together
        sound = decode(ecdc, tmp_path / "out.npz", tmp_path / "out.wav", "-m", shaped, "--cpu", cpu, rate=rate,
                       channels=config.audio_channels).reshape(n, -1)
        assert np.abs(sound - want_sound[:n]).max() < 1e-4 * max(1, np.abs(want_sound).max()), f"{n} samples"
