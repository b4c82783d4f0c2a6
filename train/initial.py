"""Where training starts: a network that is already a (nearly linear) codec.

From PyTorch's default weights the waveform part learns nothing for long. Here the encoder starts as a block transform: the
first layers only hand samples on, one, two, eight, forty of them side by side, and the last strided convolution takes the
discrete cosine transform of the frame's 320 samples, of which the 128 lowest coefficients are kept. The decoder starts as its
inverse. Everything else starts small.

Every number on this way has two channels, plus and minus: (ELU(x) - ELU(-x)) / 2 is odd and nearly x for small x, so the way
needs no biases. (Biases that keep x positive would make ELU exactly linear, but the first steps of Adam, which move every weight
alike, turn them into offsets larger than the signal: tried, SNR fell from 11 to -5 dB in 100 steps.)
"""

import math

import torch
import torch.nn as nn

import network

SIGNAL_SCALE = 0.2 # of samples and coefficients inside the network: ELU bends little there
VECTOR_SCALE = 5.0 # of the encoder's output, relative to that
SPARE = 0.3        # norm of the filters that the transform does not need
NOISE = 0.005      # breaks the ties between weights that are zero
LSTM_SCALE = 0.1   # of the last layer's cell input: the LSTM starts almost silent
WIDEN_SCALE = 0.05 # of a residual block's last convolution: its branch starts almost silent


def cosines(n):
    """The orthonormal DCT-II, (coefficient, sample)."""
    k, t = torch.arange(n)[:, None], torch.arange(n)[None]
    c = torch.cos(math.pi / n * (t + 0.5) * k) * math.sqrt(2 / n)
    c[0] /= math.sqrt(2)
    return c


def _pairs(matrix):
    """A map of numbers as a map of plus-and-minus channels: (out, in) -> (2 out, 2 in)."""
    half = matrix / 2
    return torch.cat([torch.cat([half, -half], 1), torch.cat([-half, half], 1)], 0)


def _small(module):
    """What the transform does not use."""
    if isinstance(module, (network.Conv, network.ConvTranspose)):
        w = module.conv.weight
        w.normal_()
        w.mul_(SPARE / torch.linalg.vector_norm(w, dim=(1, 2, 3), keepdim=True))
        module.conv.bias.zero_()
    elif isinstance(module, nn.LSTM):
        for name, p in module.named_parameters():
            if name.endswith(f"l{module.num_layers - 1}"):
                p[2 * module.hidden_size : 3 * module.hidden_size] *= LSTM_SCALE


def _residual(block):
    width = block.shortcut.conv.weight.shape[0]
    block.shortcut.conv.weight.copy_(torch.eye(width)[:, :, None, None])
    nn.init.normal_(block.narrow.conv.weight, std=1 / math.sqrt(3 * width))
    nn.init.normal_(block.widen.conv.weight, std=WIDEN_SCALE / math.sqrt(width / 2))


def _place(weight, matrix, tap):
    """Writes a matrix (out, in) into one tap of the first channels of an (out, in, 1, taps) weight."""
    out, n_in = matrix.shape
    weight[:out, :n_in, 0, tap] += matrix


def _noise(weight, out):
    weight[:out] = NOISE * torch.randn_like(weight[:out])


@torch.no_grad()
def _encoder(net):
    transform = cosines(network.HOP)[: network.DIMENSION]
    live = 1 # samples side by side in a row
    _noise(net[0].conv.weight, 2)
    _place(net[0].conv.weight, SIGNAL_SCALE * torch.tensor([[1.0], [-1.0]]), -1)
    strided = [m for m in net if isinstance(m, network.Conv) and m.conv.stride[1] > 1]
    for m in strided:
        weight, stride = m.conv.weight, m.conv.stride[1]
        next_live = network.DIMENSION if m is strided[-1] else live * stride
        _noise(weight, 2 * next_live)
        for tap in range(stride): # the row's sample c is sample tap * live + c of the next one
            samples = torch.arange(live) + tap * live
            step = transform[:, samples] if m is strided[-1] else torch.eye(next_live)[:, samples]
            _place(weight, _pairs(step), stride + tap)
        live = next_live
    weight = net[-1].conv.weight
    _noise(weight, network.DIMENSION)
    _place(weight, VECTOR_SCALE * _pairs(torch.eye(network.DIMENSION))[: network.DIMENSION], -1)


@torch.no_grad()
def _decoder(net):
    inverse = cosines(network.HOP)[: network.DIMENSION].T
    weight = net[0].conv.weight
    _noise(weight, 2 * network.DIMENSION)
    eye = torch.eye(network.DIMENSION) / VECTOR_SCALE
    _place(weight, torch.cat([eye, -eye], 0), -1)
    ups = [m for m in net if isinstance(m, network.ConvTranspose)]
    live = network.HOP
    for m in ups:
        weight, stride = m.conv.weight.transpose(0, 1), m.stride
        before, live = live, live // stride
        _noise(weight, 2 * live)
        for tap in range(stride):
            samples = torch.arange(live) + tap * live
            step = inverse[samples] if m is ups[0] else torch.eye(before)[samples]
            _place(weight, _pairs(step), tap)
    weight = net[-1].conv.weight
    _noise(weight, 1)
    _place(weight, torch.tensor([[0.5, -0.5]]) / SIGNAL_SCALE, -1)


@torch.no_grad()
def start(encoder, decoder):
    """Initialises both, in place."""
    for net in (encoder, decoder):
        for module in net.modules():
            _small(module)
        for module in net.modules():
            if isinstance(module, network.Residual):
                _residual(module)
    _encoder(encoder)
    _decoder(decoder)
