"""A critic that draws captions as one thing: caption encoder, f(x, t), and how pictures are drawn.

system = IntrospectiveText.load("winn_text-birds-32")
pictures = system.draw("a small red bird with blue wings", n=8, seed=0)
pictures = system.guided(30.0).draw("a bird with blue wings")
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from t2ilab.errors import UsageError
from t2ilab.fit.machine import computes_bf16
from t2ilab.inputs.ascent import Ascended, ascend
from t2ilab.inputs.concepts import Concept, Phrase
from t2ilab.inputs.synthesis import STARTS, Sampler, from_noise
from t2ilab.models.introspective_text import TextCritic
from t2ilab.systems.captioned import CaptionedSystem
from t2ilab.systems.encoders import describe_encoder, make_encoder
from t2ilab.systems.introspective import IntrospectiveSystem
from t2ilab.systems.system import checked_count
from t2ilab.text.encoders import CaptionEncoder

MOST_GAMMA = 1000.0
STEPS = 200  # of a picture
BEYOND = 0.2  # what a candidate pays for each unit of f0 above that of real pictures
FINISH, LESS = 0.25, 0.3  # over so much of the end, gamma is so much smaller: grain goes then


def checked_gamma(gamma: float) -> float:
    """gamma, if pictures can be drawn with it.

    Raises:
        UsageError: negative, infinite, or so large that f0 no longer counts.
    """
    if not (isinstance(gamma, int | float) and 0 <= gamma <= MOST_GAMMA):
        raise UsageError(
            f"gamma {gamma}: the weight of the caption is a number from 0 (no caption) to "
            f"{MOST_GAMMA:.0f}. To keep something out of a picture, give its phrase a negative "
            "weight: see t2ilab.inputs.concepts.Not."
        )
    return float(gamma)


class IntrospectiveText(CaptionedSystem):
    """f(x, t) = f0(x) + gamma s(x, t), the scores of positives, and the sampler.

    Args:
        base: the introspective system whose critic is f0; it draws without captions.
        encoder: captions to vectors.
        critic: f; its `base` is the critic of `base`.
        positives: of real pictures, f0 and s with a caption of their own, [m, 2].
        gamma: the weight of s where none is said.
        sampler: how pictures are drawn from noise.
        candidates: how many begin for each picture that is drawn from noise, 1, 2, 4 or 8. After
            each quarter of the steps the half stays that fits the caption better, by s itself,
            less a part of what f0 is above the mean of real pictures: what scores as more real
            than they has found an error of f0. More than one helps where a caption says much.

    Raises:
        UsageError: another number of candidates, or a gamma that `checked_gamma` refuses.
    """

    kind = "introspective_text"

    def __init__(
        self,
        base: IntrospectiveSystem,
        encoder: CaptionEncoder,
        critic: TextCritic,
        positives: Float[Tensor, "m 2"],
        *,
        gamma: float = 10.0,
        sampler: Sampler | None = None,
        candidates: int = 1,
    ):
        super().__init__()
        if candidates not in (1, 2, 4, 8):
            raise UsageError(f"{candidates} candidates for a picture: expected 1, 2, 4 or 8.")
        self.gamma, self.sampler = checked_gamma(gamma), sampler or base.sampler
        self.candidates = candidates
        self.base, self.encoder = base, encoder
        self.critic = critic
        self.register_buffer("positives", positives.detach().clone().float())
        self.eval().requires_grad_(False)

    @property
    def size(self) -> int:
        return self.critic.base.size

    @property
    def mixed(self) -> bool:
        """Whether convolutions are computed in bfloat16: where this machine has it in hardware.

        The gradient is the same to four digits, and a picture is drawn in half the time.
        """
        return computes_bf16(self.positives.device.type)

    def guided(self, gamma: float) -> "IntrospectiveText":
        """The same network with another weight of the caption; raises as `checked_gamma`."""
        return self._with(gamma=gamma)

    def drawing_with(self, **changes) -> "IntrospectiveText":
        """The same network, drawing in another way; `changes`: of the `Sampler`."""
        return self._with(sampler=replace(self.sampler, **changes))

    def choosing(self, candidates: int) -> "IntrospectiveText":
        """The same network, with so many candidates for each picture; 1: nothing is chosen."""
        return self._with(candidates=candidates)

    def _with(self, **changes) -> "IntrospectiveText":
        own = {"gamma": self.gamma, "sampler": self.sampler, "candidates": self.candidates}
        own |= changes
        found = IntrospectiveText(self.base, self.encoder, self.critic, self.positives, **own)
        found.about = self.about
        return found

    @torch.no_grad()
    def psi(self, captions: Sequence[str]) -> Float[Tensor, "b space"]:
        """Captions in the space that they share with pictures.

        Raises:
            CaptionError: a caption is empty, too long, or made of unknown words only.
        """
        return self.critic.head.psi(self.encoder.encode(captions).float())

    def score(
        self, images: Float[Tensor, "b c size size"], psi: Float[Tensor, "b space"]
    ) -> Float[Tensor, " b"]:
        """f(x, t) with this system's gamma; at 0 the caption is not looked at."""
        if not self.gamma:
            return self.critic.base(images)
        return self.critic(images, psi, self.gamma, mixed=self.mixed)

    @torch.no_grad()
    def scores(
        self, images: Float[Tensor, "n c size size"], captions: Sequence[str]
    ) -> Float[Tensor, "n m"]:
        """s of each picture with each caption: the same energy, asked which caption is true."""
        theta = torch.cat([self.critic.theta(part) for part in images.split(256)])
        return theta @ self.psi(captions).T

    def energy(
        self, concept: Concept, gamma: float | None = None
    ) -> Callable[..., Float[Tensor, " b"]]:
        """f0(x) and the energies of a concept's phrases, joined: pictures -> [b].

        Raises:
            CaptionError: a phrase is empty, too long, or made of unknown words only.
        """
        return self._energy(self._joined(concept), self.gamma if gamma is None else gamma)

    def _joined(self, concept: Concept) -> Callable[..., Float[Tensor, " b"]]:
        """theta, gamma -> the energies of a concept's phrases, joined; they are read once."""
        phrases, psi = concept.phrases(), self.psi(concept.phrases())
        return lambda theta, gamma: concept.energy(
            dict(zip(phrases, gamma * psi @ theta.T, strict=True))
        )

    def _energy(self, joined: Callable, gamma: float) -> Callable[..., Float[Tensor, " b"]]:
        def score(images: Float[Tensor, "b c size size"]) -> Float[Tensor, " b"]:
            f, theta = self.critic.parts(images, mixed=self.mixed)
            return f + joined(theta, gamma)

        return score

    def compose(
        self,
        concept: Concept | str,
        n: int = 8,
        seed: int = 0,
        *,
        steps: int = STEPS,
        start: Tensor | None = None,  # [n, c, size, size]; anything else is refused in words
        frames: int = 0,
    ) -> Ascended:
        """Pictures of several phrases that are joined, from noise or from pictures at hand.

        Args:
            concept: see `inputs.concepts`; a text is one phrase.
            n, seed: of pictures from noise.
            steps: of the sampler's step size; for the last quarter gamma is smaller.
            start: pictures in [-1, 1] that are changed so that they fit the concept.
            frames: moments to keep: 0, or at least 3.

        Raises:
            UsageError: a start of another size than this system's pictures, or too many.
            CaptionError: a phrase is empty, too long, or made of unknown words only.
        """
        concept = Phrase(concept) if isinstance(concept, str) else concept
        k = self.candidates if start is None else 1
        if start is None:
            start = self.noise(checked_count(n) * k, seed)
        wanted = (self.critic.base.channels, self.size, self.size)
        if start.dim() != 4 or tuple(start.shape[1:]) != wanted:
            raise UsageError(
                f"pictures of shape {list(start.shape)} to start from: this system changes "
                f"pictures of {list(wanted)}, a batch of them. Resize them first."
            )
        joined = self._joined(concept)
        fit = partial(joined, gamma=self.gamma)
        climbed = partial(self._energy, joined)
        return self._climb(climbed, start, fit, candidates=k, steps=steps, frames=frames)

    def _climb(
        self,
        score: Callable[[float], Callable[..., Tensor]],  # gamma -> what is climbed
        start: Float[Tensor, "n c size size"],
        fit: Callable[..., Float[Tensor, " n"]] | None = None,  # theta, given -> what is chosen by
        *,
        given: Sequence[Tensor] = (),
        candidates: int = 1,
        steps: int = STEPS,
        frames: int = 0,
    ) -> Ascended:
        """All of the steps for every picture, the last ones with a smaller gamma.

        Args:
            candidates: so many neighbours in `start` are for one picture; after each quarter of
                the steps the better half of them stays.
        """
        quarter, few = max(1, round(steps / 4)), max(1, round(FINISH * steps))
        halvings = candidates.bit_length() - 1
        parts = [(quarter, self.gamma)] * halvings
        parts += [(max(1, steps - few - halvings * quarter), self.gamma), (few, LESS * self.gamma)]
        rule, film, done = self.sampler.optimiser(1.0), [], 0
        made, left = None, candidates
        for length, gamma in parts:
            kept = max(2, round(frames * length / steps)) if frames else 0
            how = dict(optimiser=rule, given=given, steps=length, frames=kept)
            made = ascend(start, score(gamma), **how)
            film += [(done + t, x) for t, x in made.frames[bool(film) :]]
            start, done = made.pictures, done + length
            if left > 1:
                best = self._better_half(start, fit, given, left)
                start, given, left = start[best], [one[best] for one in given], left // 2
                film = [(t, x[best]) for t, x in film]
        return replace(made, frames=film)

    @torch.no_grad()
    def _better_half(self, x: Tensor, fit: Callable, given: Sequence[Tensor], left: int) -> Tensor:
        """Rows of the half that fits better, of each `left` neighbours."""
        f, theta = self.critic.parts(x, mixed=self.mixed)
        beyond = (f - self.positives[:, 0].mean()).relu()
        fits = (fit(theta, *given) - BEYOND * beyond).unflatten(0, (-1, left))
        best = fits.topk(left // 2, 1).indices
        return (best + left * torch.arange(len(fits), device=x.device)[:, None]).flatten()

    def noise(self, n: int, seed: int | torch.Generator = 0) -> Float[Tensor, "n c size size"]:
        """Where n pictures begin."""
        if not isinstance(seed, torch.Generator):
            seed = torch.Generator().manual_seed(int(seed))
        shape = (self.critic.base.channels, self.size, self.size)
        return STARTS[self.sampler.start](n, shape, generator=seed)

    def draw_vectors(
        self,
        phi: Float[Tensor, "b text"],
        start: Float[Tensor, "b c size size"] | None = None,
        *,
        seed: int = 0,
    ) -> Float[Tensor, "b c size size"]:
        """Pictures in [-1, 1] of captions' vectors, as a generator gives them.

        With gamma 0 they are those of `base`, and stop as its do.

        Args:
            start: what `noise` gave, a start a picture; by default from `seed`, and chosen.
        """
        generator = torch.Generator().manual_seed(int(seed))
        if not self.gamma:
            waiting = [self.noise(len(phi), generator) if start is None else start.clone()]
            return from_noise(
                self.critic.base,
                lambda n: waiting.pop() if waiting else self.noise(n, generator),
                len(phi),
                self.base.positives,
                self.sampler,
                generator=generator,
            )
        k = self.candidates if start is None else 1
        start = self.noise(len(phi) * k, generator) if start is None else start
        with torch.no_grad():
            psi = self.critic.head.psi(phi.float()).repeat_interleave(k, 0)

        def score(gamma: float) -> Callable[..., Tensor]:
            return lambda x, psi: self.critic(x, psi, gamma, mixed=self.mixed)

        def fit(theta: Tensor, psi: Tensor) -> Tensor:
            return self.gamma * (theta * psi).sum(1)

        return self._climb(score, start, fit, given=[psi], candidates=k).pictures

    def pictures_of(self, phi: Float[Tensor, "n text"], seed: int) -> Float[Tensor, "n c s s"]:
        return self.draw_vectors(phi, seed=seed)

    def arguments(self) -> dict[str, Any]:
        return {
            "base": self.base.arguments(),
            "encoder": describe_encoder(self.encoder),
            "critic": self.critic.arguments,
            "positives": len(self.positives),
            "gamma": self.gamma,
            "sampler": asdict(self.sampler),
            "candidates": self.candidates,
        }

    @classmethod
    def build(cls, arguments: dict[str, Any]) -> "IntrospectiveText":
        base = IntrospectiveSystem.build(arguments["base"])
        critic = TextCritic(base.critic, **arguments["critic"])
        return cls(
            base,
            make_encoder(arguments["encoder"]),
            critic,
            torch.zeros(arguments["positives"], 2),
            gamma=arguments["gamma"],
            sampler=Sampler(**arguments["sampler"]),
            candidates=arguments.get("candidates", 1),
        )

    def name_in_file(self, key: str) -> str:
        """f0 once: the critic's `base` is that of `base`."""
        start = "critic.base."
        return f"base.critic.{key.removeprefix(start)}" if key.startswith(start) else key
