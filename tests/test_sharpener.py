"""The sharpening network: it begins as "leave it", and learns beside a frozen alignDRAW."""

import pytest
import torch
from click.testing import CliRunner

from t2ilab.cli import main
from t2ilab.errors import UsageError
from t2ilab.models.sharpener import Sharpener
from t2ilab.recipes import sharpener as recipe
from t2ilab.recipes.options import make
from t2ilab.systems.aligndraw import AlignDraw


def test_it_begins_as_leave_it_as_it_is_and_is_deterministic():
    torch.manual_seed(0)
    net, x, text = Sharpener(size=16, text=6, width=4), torch.randn(3, 3, 16, 16), torch.randn(3, 6)
    assert torch.equal(net(x, text), x)
    torch.nn.init.normal_(net.f[-1].weight)
    assert torch.equal(net(x, text), net(x, text)) and not torch.equal(net(x, text), x)
    assert not torch.equal(net(x, text), net(x, text.flip(0)))  # it looks at the caption


def test_sizes_that_cannot_be_are_refused():
    with pytest.raises(UsageError, match="width 0: the sharpener needs 1 or more"):
        Sharpener(width=0)


def test_it_is_trained_after_an_aligndraw_which_stays_as_it_is(tmp_path):
    first = f"train aligndraw --world scenes --profile smoke --steps 2 --out {tmp_path}/draw"
    then = (f"train sharpener --world scenes --start {tmp_path}/draw --profile smoke --steps 3 "
            f"--out {tmp_path}/sharp")  # fmt: skip
    for words in (first, then):
        done = CliRunner().invoke(main, words.split(), prog_name="t2ilab")
        assert done.exit_code == 0, done.output
    before, after = AlignDraw.load(tmp_path / "draw"), AlignDraw.load(tmp_path / "sharp")
    own = before.network.state_dict()
    assert all(torch.equal(value, own[name]) for name, value in after.network.state_dict().items())
    assert before.sharpener is None and after.sharpener is not None
    moved = [float(one.detach().abs().max()) for one in after.sharpener.f[-1].parameters()]
    assert max(moved) > 0
    measured = after.about["measured"]
    assert {"fid", "fid_blurry", "named", "named_blurry", "readable_blurry"} <= set(measured)
    assert measured["named_blurry"] == before.about["measured"]["named"]
    other = make(recipe.Options, "sharpener", {"world": "scenes", "size": 64,
                                               "start": f"{tmp_path}/draw"})  # fmt: skip
    with pytest.raises(UsageError, match="coloured pictures of 32 pixels"):
        recipe.build(other, None)
