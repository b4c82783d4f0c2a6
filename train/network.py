"""SEANet encoder and decoder as transformers' EncodecModel computes them (24 kHz form: causal, weight norm folded), laid out
for training on a CPU: activations are (batch, channels, 1, time) in channels-last memory, on which oneDNN's convolutions run
1.6 times as fast as on (batch, channels, time)."""

import torch
import torch.nn as nn
import torch.nn.functional as F

RATIOS = (8, 5, 4, 2) # of the decoder; the encoder's backwards
DIMENSION = 128
HOP = 320


class Conv(nn.Module):
    """Causal: all padding on the left, by reflection."""

    def __init__(self, c_in, c_out, kernel, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, (1, kernel), (1, stride))
        self.padding = kernel - stride

    def forward(self, x):
        return self.conv(F.pad(x, (self.padding, 0, 0, 0), mode="reflect") if self.padding else x)


class ConvTranspose(nn.Module):
    def __init__(self, c_in, c_out, stride):
        super().__init__()
        self.conv = nn.ConvTranspose2d(c_in, c_out, (1, 2 * stride), (1, stride))
        self.stride = stride

    def forward(self, x):
        return self.conv(x)[..., : -self.stride]


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.narrow = Conv(channels, channels // 2, 3)
        self.widen = Conv(channels // 2, channels, 1)
        self.shortcut = Conv(channels, channels, 1)

    def forward(self, x):
        return self.shortcut(x) + self.widen(F.elu(self.narrow(F.elu(x))))


class Lstm(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.lstm = nn.LSTM(size, size, 2)

    def forward(self, x):
        rows = x[:, :, 0].permute(2, 0, 1)
        y = self.lstm(rows)[0] + rows
        return y.permute(1, 2, 0)[:, :, None].contiguous(memory_format=torch.channels_last)


def encoder(num_filters):
    """Samples (batch, 1, 1, n) to vectors (batch, 128, 1, n / 320). Modules are numbered as in the model's files."""
    width = num_filters
    layers = [Conv(1, width, 7)]
    for ratio in reversed(RATIOS):
        layers += [Residual(width), nn.ELU(), Conv(width, 2 * width, 2 * ratio, ratio)]
        width *= 2
    return nn.Sequential(*layers, Lstm(width), nn.ELU(), Conv(width, DIMENSION, 7)).to(memory_format=torch.channels_last)


def decoder(num_filters):
    width = num_filters * 2 ** len(RATIOS)
    layers = [Conv(DIMENSION, width, 7), Lstm(width)]
    for ratio in RATIOS:
        layers += [nn.ELU(), ConvTranspose(width, width // 2, ratio), Residual(width // 2)]
        width //= 2
    return nn.Sequential(*layers, nn.ELU(), Conv(width, 1, 7)).to(memory_format=torch.channels_last)


def _names(net, part):
    """Pairs of a module that holds weights and its name in transformers."""
    for name, module in net.named_modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            index, *inner = name.split(".")
            place = {("conv",): "conv", ("narrow", "conv"): "block.1.conv", ("widen", "conv"): "block.3.conv",
                     ("shortcut", "conv"): "shortcut.conv"}[tuple(inner)]
            yield module, f"{part}.layers.{index}.{place}"
        elif isinstance(module, nn.LSTM):
            yield module, f"{part}.layers.{name.split('.')[0]}.lstm"


def tensors(net, part):
    """The network's tensors under the names of transformers, weight norm as a pair: g = |v|, v = the weight."""
    out = {}
    for module, prefix in _names(net, part):
        if isinstance(module, nn.LSTM):
            out |= {f"{prefix}.{key}": value.detach() for key, value in module.named_parameters()}
        else:
            v = module.weight.detach()[:, :, 0]
            out[prefix + ".parametrizations.weight.original0"] = torch.linalg.vector_norm(v, dim=(1, 2), keepdim=True)
            out[prefix + ".parametrizations.weight.original1"] = v.contiguous()
            out[prefix + ".bias"] = module.bias.detach()
    return out


@torch.no_grad()
def load(net, part, saved):
    """The way back: takes the weights from tensors of these names."""
    for module, prefix in _names(net, part):
        if isinstance(module, nn.LSTM):
            for key, value in module.named_parameters():
                value.copy_(saved[f"{prefix}.{key}"])
        else:
            g, v = (saved[f"{prefix}.parametrizations.weight.original{i}"].float() for i in (0, 1))
            module.weight.copy_((v * (g / torch.linalg.vector_norm(v, dim=(1, 2), keepdim=True)))[:, :, None])
            module.bias.copy_(saved[prefix + ".bias"])
