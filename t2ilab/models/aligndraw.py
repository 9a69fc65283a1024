"""alignDRAW: DRAW that reads a caption, and before every stroke looks at its words again.

Mansimov et al. 2016, "Generating images from captions with attention". A bidirectional LSTM turns
the words of caption y into h_lang [L, 2 m]; then, at each of T strokes,

    e_k = v · tanh(U h_lang_k + W h_dec + b)        alpha = softmax over the words of e
    s = sum over k of alpha_k h_lang_k              h_dec = LSTM(h_dec, [z, s])

The prior of a stroke is what the strokes and words before it make likely,

    P(Z_1) = N(0, 1),   P(Z_t | Z_<t, y) = N(tanh(W_mu h_dec), exp(tanh(W_sigma h_dec))²), t > 1,

h_dec that of stroke t - 1. Everything else is DRAW's own (`models.draw`). With T = 1 it is a
conditional variational autoencoder: one z, of the standard normal prior, beside the caption.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from t2ilab.errors import UsageError
from t2ilab.models.draw import DRAW, Window, stacked


class Read(NamedTuple):
    """Captions after the reader. h: [b, L, 2 m], 0 at pads; keys: [b, L, align], U h + b; known:
    bool [b, L], whether there is a word."""

    h: Tensor
    keys: Tensor
    known: Tensor


class AlignedPass(NamedTuple):
    """What a pass over pictures and their captions leaves: T strokes.

    Shapes: canvases [T + 1, b, c, size, size] as logits; mu, log_sigma, z, prior_mu,
    prior_log_sigma [T, b, latent]; alpha [T, b, L], the words' weights; log_scale [c], or None for
    Bernoulli; fields of the windows [T, b], or None without a window.
    """

    canvases: Tensor
    mu: Tensor
    log_sigma: Tensor
    z: Tensor
    prior_mu: Tensor
    prior_log_sigma: Tensor
    alpha: Tensor
    log_scale: Tensor | None
    reads: Window | None
    writes: Window | None


class Drawn(NamedTuple):
    """What drawing from a caption leaves: canvases [T + 1, b, c, size, size] as logits, alpha
    [T, b, L], z [T, b, latent], where the strokes were made."""

    canvases: Tensor
    alpha: Tensor
    z: Tensor
    writes: Window | None


def trimmed(numbers: Int[Tensor, "b L"]) -> Int[Tensor, "b l"]:
    """Without the pads that all of them end with."""
    return numbers[:, : max(1, int((numbers > 0).sum(1).max()))]


class WordReader(nn.Module):
    """h_lang: an LSTM in each direction over the words of a caption, pads left out.

    (The authors' code reverses the batch in place of the words: its second LSTM reads another
    caption, forwards.)

    Args:
        words: how many word numbers there are, with those of the pad (0) and the unknown word (1).
        word: length of a word's vector. `language`: m, of each LSTM's state.
    """

    def __init__(self, *, words: int, word: int = 64, language: int = 128):
        super().__init__()
        self.words = nn.Embedding(words, word, padding_idx=0)
        self.lstm = nn.LSTM(word, language, batch_first=True, bidirectional=True)

    def forward(self, numbers: Int[Tensor, "b L"]) -> Float[Tensor, "b L m2"]:
        lengths = (numbers > 0).sum(1).clamp(min=1)
        packed = nn.utils.rnn.pack_padded_sequence(
            self.words(numbers), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        return nn.utils.rnn.pad_packed_sequence(
            self.lstm(packed)[0], batch_first=True, total_length=numbers.shape[1]
        )[0]


class AlignDRAW(DRAW):
    """The network. `forward` looks at pictures and captions and draws again; `generate` draws.

    Args:
        words: how many word numbers there are; see `WordReader`, also for `word` and `language`.
        align: length of v. `alignment`: False: every word weighs the same at every stroke.
        looking: length of the encoder's state (paper: as `hidden`); it looks, the decoder draws.
        size, channels, glimpses, hidden, latent, read, write, colours: see `DRAW`.

    Raises:
        UsageError: as `DRAW` does.
    """

    def __init__(
        self,
        *,
        words: int,
        word: int = 64,
        language: int = 128,
        align: int = 128,
        alignment: bool = True,
        size: int = 32,
        channels: int = 3,
        glimpses: int = 10,
        hidden: int = 256,
        looking: int = 96,
        latent: int = 24,
        read: int | None = 6,
        write: int | None = 16,
        colours: bool = True,
    ):
        of_draw = dict(size=size, channels=channels, glimpses=glimpses, hidden=hidden,
                       latent=latent, read=read, write=write, colours=colours)  # fmt: skip
        super().__init__(**of_draw)
        own = dict(words=words, word=word, language=language, align=align, looking=looking)
        for called, number in own.items():
            if number < 1:
                raise UsageError(f"{called} {number}: alignDRAW needs 1 or more.")
        self.arguments = own | of_draw | {"alignment": alignment}
        self.alignment = alignment
        self.reader = WordReader(words=words, word=word, language=language)
        self.keys = nn.Linear(2 * language, align)  # U and b
        self.query = nn.Linear(hidden, align, bias=False)  # W
        self.v = nn.Linear(align, 1, bias=False)
        self.encoder = self._looking(looking)
        self.to_mu, self.to_log_sigma = nn.Linear(looking, latent), nn.Linear(looking, latent)
        self.decoder = nn.LSTMCell(latent + 2 * language, hidden)
        self.to_prior = nn.Linear(hidden, 2 * latent)

    def _looking(self, looking: int) -> nn.LSTMCell:
        """DRAW's encoder with a state of another length, what is read being begun as there."""
        old = self.encoder
        encoder, seen = nn.LSTMCell(old.input_size, looking), old.input_size - old.hidden_size
        if self.reading is not None:
            nn.init.uniform_(encoder.weight_ih.data[:, :seen], -(seen**-0.5), seen**-0.5)
        return encoder

    def _begin(self, b: int) -> tuple[Tensor, tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        canvas, _, dec = super()._begin(b)
        rest = self.empty.new_zeros(b, self.encoder.hidden_size)
        return canvas, (rest, rest), dec

    def words_of(self, numbers: Int[Tensor, "b L"]) -> Read:
        """Captions as the strokes look at them."""
        h = self.reader(numbers)
        return Read(h, self.keys(h), numbers > 0)

    def sentence(self, numbers: Int[Tensor, "b L"]) -> Float[Tensor, "b m2"]:
        """The mean of h_lang over the words: a caption as one vector."""
        known = (numbers > 0).sum(1, keepdim=True).clamp(min=1)
        return self.reader(numbers).sum(1) / known

    def align(self, said: Read, h_dec: Float[Tensor, "b hidden"]) -> Float[Tensor, "b L"]:
        """alpha: a weight for each word, 0 at pads, their sum 1."""
        if not self.alignment:
            return said.known / said.known.sum(1, keepdim=True).clamp(min=1)
        e = self.v(torch.tanh(said.keys + self.query(h_dec)[:, None])).squeeze(-1)
        return e.float().masked_fill(~said.known, -1e9).softmax(1)

    def prior(self, h_dec: Float[Tensor, "b hidden"], t: int) -> tuple[Tensor, Tensor]:
        """mu and log sigma of stroke t (from 1), each [b, latent]; of the first one 0 and 0."""
        if t == 1:
            rest = h_dec.new_zeros(len(h_dec), self.latent)
            return rest, rest
        mu, log_sigma = self.to_prior(h_dec).float().tanh().chunk(2, 1)
        return mu, log_sigma

    def forward(
        self,
        x: Float[Tensor, "b c size size"],
        numbers: Int[Tensor, "b L"],
        eps: Float[Tensor, "T b latent"],
    ) -> AlignedPass:
        """x in [0, 1], words' numbers, and noise for z = mu + sigma · eps."""
        said, (canvas, enc, dec) = self.words_of(numbers), self._begin(len(x))
        canvases, latents, looked, reads, writes = [canvas], [], [], [], []
        for t, noise in enumerate(eps, 1):
            before = self.prior(dec[0], t)
            r, seen = self._read(x, x - canvas.sigmoid(), dec[0])
            enc = self.encoder(torch.cat([r, dec[0]], 1), enc)
            mu, log_sigma = self.to_mu(enc[0]).float(), self.to_log_sigma(enc[0]).float()
            z = mu + log_sigma.exp() * noise
            canvas, alpha, dec, drawn = self.stroke(canvas, said, z, dec)
            canvases.append(canvas)
            latents.append((mu, log_sigma, z, *before))
            looked.append(alpha)
            reads.append(seen)
            writes.append(drawn)
        return AlignedPass(
            torch.stack(canvases), *map(torch.stack, zip(*latents, strict=True)),
            torch.stack(looked), self.log_scale, stacked(reads), stacked(writes),
        )  # fmt: skip

    def generate(self, numbers: Int[Tensor, "b L"], eps: Float[Tensor, "T b latent"]) -> Drawn:
        """Pictures of captions, z drawn from the prior with this noise."""
        said, (canvas, _, dec) = self.words_of(numbers), self._begin(len(numbers))
        canvases, looked, drawn_z, writes = [canvas], [], [], []
        for t, noise in enumerate(eps, 1):
            mu, log_sigma = self.prior(dec[0], t)
            z = mu + log_sigma.exp() * noise
            canvas, alpha, dec, drawn = self.stroke(canvas, said, z, dec)
            canvases.append(canvas)
            looked.append(alpha)
            drawn_z.append(z)
            writes.append(drawn)
        moments = (torch.stack(one) for one in (canvases, looked, drawn_z))
        return Drawn(*moments, stacked(writes))

    def stroke(
        self, canvas: Tensor, said: Read, z: Tensor, dec: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor], Window | None]:
        """One stroke: the words are weighed, h_dec moves on, the canvas takes what is written."""
        alpha = self.align(said, dec[0])
        s = torch.einsum("bl,blm->bm", alpha, said.h.float())
        dec = self.decoder(torch.cat([z, s], 1), dec)
        written, drawn = self._write(dec[0])
        return canvas + written, alpha, dec, drawn
