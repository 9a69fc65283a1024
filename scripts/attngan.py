"""What AttnGAN's attention is worth: the table of chapter 21.

    python scripts/attngan.py                      # data/results/attngan.csv

Of complete captions of the test split: is every attribute read back (by the reader, and by the
judge, another network)? Is the own caption found among 99 that are one attribute off, by whom? Do
a part's words point at the part, and does the picture depend on them? `n` is the number of
pictures, or of words, of which a value is the mean.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from t2ilab.data import paperworld
from t2ilab.data.captioned import to_float
from t2ilab.files import write_csv
from t2ilab.metrics import attention as of
from t2ilab.metrics.consistency import caption_consistency
from t2ilab.metrics.one_off import Question, judged, question, r_precision
from t2ilab.paths import DATA
from t2ilab.systems.attngan import AttnSystem
from t2ilab.systems.damsm import DamsmSystem
from t2ilab.systems.single import TrainedReader, load_parts, load_reader
from t2ilab.systems.text_to_image import TextToImage

PARTS = ("breast", "crown", "wing", "tail")
Row = dict[str, str | float | int]


def row(measure: str, case: str, value: float, n: int, part: str = "") -> Row:
    return dict(measure=measure, case=case, part=part, value=round(float(value), 4), n=n)


def by_damsm(damsm: DamsmSystem, x: Tensor, asked: list[Question], by: str) -> Tensor:
    """The scores that AttnGAN's own teacher gives to the captions of each question."""
    parts = damsm.look(x)
    each = [
        damsm.scores(type(parts)(*(p[i : i + 1] for p in parts)), damsm.read(one.captions), by)
        for i, one in enumerate(asked)
    ]
    return torch.cat(each)


class Measured:
    """The instruments, and pictures drawn for the first n captions of the test split."""

    def __init__(self, n: int, world: str, system: str, damsm: str, other: str):
        self.world, self.n = paperworld.world(world), n
        self.system, self.damsm = AttnSystem.load(system), DamsmSystem.load(damsm)
        self.reader = load_reader(world)
        self.judge = TrainedReader.load(f"judge-{world}").network
        self.finder, self.test = load_parts(world), self.world.load("test", self.system.size, n)
        self.facts = [self.world.facts("test", i) for i in range(n)]
        self.said = [captions[0] for captions in self.test.captions]
        self.z = self.system.noise(n, 1)
        self.x = self.system.pictures(self.said, self.z)
        self.pictures = {"AttnGAN": self.x, "real": to_float(self.test.images)}
        if other:
            drawn = TextToImage.load(other).draw(self.said[:n], seed=1)
            self.pictures["GAN-INT-CLS"] = to_float(drawn)
        self.spans = [
            of.spans(self.world, c, f) for c, f in zip(self.said, self.facts, strict=True)
        ]

    def right(self, x: Tensor, judge: bool = True) -> dict[str, float]:
        """attribute -> share read back right, and "all"."""
        reader, names = self.judge if judge else self.reader, list(self.world.content)
        return caption_consistency(reader, x, self.test, names, level=0)

    def consistency(self) -> Iterator[Row]:
        """Read back right, all attributes at once."""
        for name, x in self.pictures.items():
            yield row("right, reader", name, self.right(x, judge=False)["all"], self.n)
            for part, value in self.right(x).items():
                yield row("right, judge", name, value, self.n, part)

    def r_precision(self) -> Iterator[Row]:
        """Own caption first; captions one attribute off, or of other pictures."""
        hard = [question(self.world, f, seed=i) for i, f in enumerate(self.facts)]
        easy = [self._others(i) for i in range(self.n)]
        for which, asked in (("one off", hard), ("other pictures", easy)):
            for name, x in self.pictures.items():
                scores = {
                    "judge": judged(self.judge, self.world, x, asked),
                    "DAMSM": by_damsm(self.damsm, x, asked, "sentences"),
                    "DAMSM, words": by_damsm(self.damsm, x, asked, "words"),
                }
                for examiner, s in scores.items():
                    yield row(f"R-precision, {which}", name, r_precision(s), self.n, examiner)

    def _others(self, i: int) -> Question:
        """Its own caption, and those of 99 pictures that state another thing."""
        told = {name: self.facts[i][name] for name in self.world.content}
        found, k = Question([self.said[i]], [told]), 0
        while len(found.captions) < 100:
            k += 1
            text = self.world.captions("test", 2000 + 100 * i + k)[0]
            stated = self.world.read(text)
            if any(told[a] != v for a, v in stated.items()):
                found.captions.append(text)
                found.stated.append(stated)
        return found

    @torch.inference_mode()
    def pointing(self) -> Iterator[Row]:
        """Peak and mass of words inside their part, at each size, beside maps that know nothing."""
        labels = self.finder.find(self.x)
        maps = self.attention()
        true = torch.stack(
            [torch.from_numpy(self.world.parts("test", i, 64)) for i in range(self.n)]
        )
        eight = of.enlarged(self.damsm.attention(self.test.images, self.said), 64)
        ways = {f"{m.shape[-1]} pixels": (of.enlarged(m, 64), labels) for m in maps}
        ways["DAMSM, real pictures"] = (eight, true)
        for part in PARTS:
            k = 1 + self.world.part_names.index(part)
            rows = [i for i, s in enumerate(self.spans) if part in s]
            for case, (words, where) in ways.items():
                masks = where[rows] == k
                alike = torch.stack([self._alike(where[i], i, part) for i in rows])
                for kind in ("noun", "value", "either"):
                    chosen = torch.stack([self._word(words[i], i, part, kind) for i in rows])
                    yield from self._points(f"{case}, {kind}", chosen, masks, part)
                    yield from self._points(f"{case}, {kind}, its colour", chosen, alike, part)
            masks = labels[rows] == k
            yield from self._points("uniform", of.uniform(masks), masks, part)
            yield from self._points("centre", of.central(masks), masks, part)
            alike = torch.stack([self._alike(labels[i], i, part) for i in rows])
            yield from self._points("uniform, its colour", of.uniform(alike), alike, part)
            yield from self._points("centre, its colour", of.central(alike), alike, part)

    def _alike(self, labels: Tensor, i: int, part: str) -> Tensor:
        """All parts that have the colour of this one: "blue" may name two of them at once."""
        same = [p for p in PARTS if self.facts[i][p] == self.facts[i][part]]
        return sum(labels == 1 + self.world.part_names.index(p) for p in same) > 0

    def _word(self, maps: Tensor, i: int, part: str, kind: str) -> Tensor:
        span = self.spans[i][part]
        both = {"noun": [span.noun], "value": [span.value], "either": sorted({*span})}
        return maps[both[kind]].sum(0)

    def _points(self, case: str, maps: Tensor, masks: Tensor, part: str) -> Iterator[Row]:
        found = of.pointing(maps, masks)
        yield row("pointing, peak", case, found.peak, len(maps), part)
        yield row("pointing, mass", case, found.mass, len(maps), part)

    def attention(self) -> list[Tensor]:
        """Maps of every size, of all pictures, padded to the longest caption."""
        said = self.system.read(self.said)
        parts = [
            self.system.paint(type(said)(*(x[i : i + 50] for x in said)), self.z[i : i + 50])
            for i in range(0, self.n, 50)
        ]
        return [torch.cat(maps) for maps in zip(*(p.attention for p in parts), strict=True)]

    @torch.inference_mode()
    def deletion(self) -> Iterator[Row]:
        """The attribute is still right when its words get no attention, or all words get alike."""
        said, own = self.system.read(self.said), self.attention()
        even = [of.even(maps, said.real) for maps in own]
        whole = self.right(self.x)
        flat = self.right(self.system.paint(said, self.z, weights=even).pictures[-1])
        for part in PARTS:
            taken = [sorted({*s[part]}) if part in s else [] for s in self.spans]
            left = [of.without(maps, taken) for maps in own]
            found = self.right(self.system.paint(said, self.z, weights=left).pictures[-1])
            rest = sum(found[p] for p in PARTS if p != part) / (len(PARTS) - 1)
            yield row("deletion", "own attention", whole[part], self.n, part)
            yield row("deletion", "all words alike", flat[part], self.n, part)
            yield row("deletion", "without its words", found[part], self.n, part)
            yield row("deletion", "without its words: other parts", rest, self.n, part)

    @torch.inference_mode()
    def conflict(self) -> Iterator[Row]:
        """The words of one caption and the sentence of another: whose attribute is drawn?"""
        said, values = self.system.read(self.said), self.test.attributes
        mixed = said._replace(sentence=said.sentence.roll(1, 0))
        read = self.judge.read(self.system.paint(mixed, self.z).pictures[-1])
        for part in (*PARTS, "size", "beak"):
            mine = torch.from_numpy(values[part])
            other = mine.roll(1)
            apart = mine != other
            n = int(apart.sum())
            for case, wanted in (("its words", mine), ("its sentence", other)):
                share = (read[part] == wanted)[apart].float().mean()
                yield row("conflict", case, share, n, part)

    @torch.inference_mode()
    def swaps(self) -> Iterator[Row]:
        """One colour word changed: pixels that change inside the part; does the new colour show?"""
        before, values = self.finder.find(self.x), list(self.world.content["wing"])
        for part in PARTS:
            rows = [i for i, s in enumerate(self.spans) if part in s]
            new = [values[(values.index(self.facts[i][part]) + 1 + i % 8) % 10] for i in rows]
            said = [self._swapped(i, part, v) for i, v in zip(rows, new, strict=True)]
            x = self.system.pictures(said, self.z[rows])
            k = 1 + self.world.part_names.index(part)
            masks = (before[rows] == k) | (self.finder.find(x) == k)
            shares = of.inside(of.changed(self.x[rows], x), masks)
            read = self.judge.read(x)[part]
            shows = (read == torch.tensor([values.index(v) for v in new])).float().mean()
            yield row("swap", "inside the part", shares.nanmean(), len(rows), part)
            yield row("swap", "new colour shows", shows, len(rows), part)
            area = masks.float().mean()
            yield row("swap", "share of the picture", area, len(rows), part)

    def _swapped(self, i: int, part: str, value: str) -> str:
        words = self.system.words(self.said[i])
        words[self.spans[i][part].value] = self.world.words()[value][0]
        return " ".join(words)

    def all(self) -> pd.DataFrame:
        rows = [self.consistency(), self.r_precision(), self.pointing()]
        rows += [self.deletion(), self.conflict(), self.swaps()]
        return pd.DataFrame([one for some in rows for one in some])


def main() -> None:
    words = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("--n", type=int, default=300, help="captions of the test split")
    words.add_argument("--world", default="birds")
    words.add_argument("--system", default="attngan-birds-64")
    words.add_argument("--damsm", default="damsm-birds-64")
    words.add_argument("--other", default="gan_int_cls-birds-64", help="beside it; '': none")
    words.add_argument("--out", type=Path, default=DATA / "results" / "attngan.csv")
    given = words.parse_args()
    torch.manual_seed(0)
    table = Measured(given.n, given.world, given.system, given.damsm, given.other).all()
    write_csv(given.out, table)
    print(table.to_string())


if __name__ == "__main__":
    main()
