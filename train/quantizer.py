"""The residual vector quantizer in training: codebooks follow the vectors by exponential moving averages (van den Oord et al.
2017), entries that fall out of use are drawn anew from the vectors, gradients pass straight through."""

import torch
import torch.nn as nn

import network

ENTRIES = 1024


def nearest(vectors, codebook):
    """Index of the nearest entry for each row."""
    return (codebook.pow(2).sum(1) - 2 * vectors @ codebook.T).argmin(1)


class Quantizer(nn.Module):
    def __init__(self, n_codebooks, settings):
        super().__init__()
        self.decay, self.dead_below, self.level = settings["decay"], settings["dead_below"], settings["level_exponent"]
        shape = (n_codebooks, ENTRIES, network.DIMENSION)
        self.register_buffer("embed", torch.zeros(shape))
        self.register_buffer("total", torch.zeros(shape)) # moving sums: embed = total / count
        self.register_buffer("count", torch.zeros(n_codebooks, ENTRIES))
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))

    def forward(self, x, used):
        """x (batch, 128, 1, frames); used (batch,): how many codebooks each example gets, 0 for none, which leaves it as it is.
        Returns what goes to the decoder, and the commitment loss relative to the power of x."""
        batch, frames = x.shape[0], x.shape[-1]
        z = x[:, :, 0].permute(0, 2, 1)
        weights, z = self.weights(z.detach()), z.reshape(-1, network.DIMENSION)
        used = used.repeat_interleave(frames)
        residual, quantized = z.detach(), torch.zeros_like(z)
        error, terms = torch.zeros(()), 0
        for i in range(len(self.embed) if self.training else int(used.max())):
            code = nearest(residual, self.embed[i])
            entry = self.embed[i][code]
            live = (used > i).float()[:, None]
            error = error + ((z - quantized - entry).pow(2) * live).mean()
            terms = terms + live.mean()
            if self.training: # on the whole batch, whatever it uses
                self._follow(i, residual, code, weights)
            residual = residual - entry
            quantized = quantized + entry * live
        commitment = error / (terms + 1e-9) / (z.detach().pow(2).mean() + 1e-4)
        out = torch.where(used[:, None] > 0, z + (quantized - z).detach(), z)
        out = out.reshape(batch, frames, network.DIMENSION).permute(0, 2, 1)[:, :, None]
        return out.contiguous(memory_format=torch.channels_last), commitment

    def weights(self, z):
        """How much the vectors z (batch, frames, 128) count when codebooks follow them: an example's power to -level_exponent, so
        that loud examples do not rule alone. (batch * frames,), one on average."""
        power = z.pow(2).mean((1, 2)) + 1e-6
        weight = power ** -self.level
        return (weight / weight.mean()).repeat_interleave(z.shape[1])

    @torch.no_grad()
    def start(self, vectors, rounds):
        """Fits the codebooks to vectors (n, 128) of the encoder as it is."""
        self.begin_with(fit(vectors, len(self.embed), rounds))

    @torch.no_grad()
    def begin_with(self, codebooks):
        self.embed.copy_(codebooks)
        self.count.fill_(1)
        self.total.copy_(self.embed)
        self.started.fill_(True)

    def _draw(self, residual, n):
        rows = residual[torch.randint(len(residual), (n,))]
        return rows + 0.05 * residual.std() * torch.randn_like(rows)

    def _follow(self, i, residual, code, weights):
        keep = self.decay
        self.count[i].mul_(keep).index_add_(0, code, weights, alpha=1 - keep)
        self.total[i].mul_(keep).index_add_(0, code, residual * weights[:, None], alpha=1 - keep)
        dead = (self.count[i] < self.dead_below).nonzero()[:, 0]
        if len(dead):
            self.count[i, dead] = 0.5
            self.total[i, dead] = self._draw(residual, len(dead)) * 0.5
        self.embed[i] = self.total[i] / self.count[i][:, None]


def fit(vectors, n_codebooks, rounds):
    """Codebooks by k-means, one after the other on the residuals of those before. vectors (n, 128). Entries without vectors move
    next to the most used ones, so that none stays unused. Returns (n_codebooks, 1024, 128)."""
    residual, out = vectors.clone(), []
    for i in range(n_codebooks):
        book = residual[torch.randperm(len(residual))[:ENTRIES]].clone()
        for _ in range(rounds):
            code = torch.cat([nearest(part, book) for part in residual.split(16384)])
            count = torch.bincount(code, minlength=ENTRIES)
            book = torch.zeros_like(book).index_add_(0, code, residual) / count.clamp_min(1)[:, None]
            unused = (count < max(2, len(residual) // ENTRIES // 20)).nonzero()[:, 0]
            if len(unused):
                busy = count.argsort(descending=True)[: len(unused)]
                book[unused] = book[busy] + 0.1 * residual.std() * torch.randn(len(unused), book.shape[1])
        code = torch.cat([nearest(part, book) for part in residual.split(16384)])
        share = torch.bincount(code, minlength=ENTRIES) / len(residual)
        residual = residual - book[code]
        out.append(book)
        print(f"codebook {i + 1}: entropy {-(share[share > 0] * share[share > 0].log2()).sum():.2f} bits, "
            f"{(share == 0).sum()} unused, residual power {residual.pow(2).mean() / vectors.pow(2).mean():.4f}", flush=True)
    return torch.stack(out)
