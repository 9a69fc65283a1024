"""The script that compares constraints and networks, in its smallest size."""

import sys

import numpy as np

from t2ilab.paths import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

import matching  # noqa: E402

TINY = {"steps": 2, "n": 40, "profile": "smoke", "batch_size": 16}


def test_a_row_for_each_run_and_none_twice(tmp_path, monkeypatch):
    file = tmp_path / "results" / "table.csv"
    some = ("hinge", "similarity", "affinity")
    monkeypatch.setattr(matching, "ROWS", {which: matching.ROWS[which] for which in some})
    how = TINY | {"rows": some}
    table = matching.measured(file, seeds=1, **how)
    assert list(table["which"]) == list(some)
    assert table["facts_caption_1"].between(0, 1).all() and (table["steps"] == 2).all()
    alike = table.set_index("which")["parameters"]
    assert alike["hinge"] < alike["similarity"]
    assert np.isfinite(table["swapped_unseen"]).all()
    written = file.read_bytes()
    again = matching.measured(file, seeds=1, **how)
    assert len(again) == len(matching.ROWS) and file.read_bytes() == written
    monkeypatch.setattr(matching, "one", lambda which, seed, **how: {**again.iloc[0], "seed": seed})
    assert len(matching.measured(file, seeds=2, **how)) == 2 * len(matching.ROWS)


def test_rows_differ_only_in_what_they_say():
    for which in ("without pictures", "without captions", "across alone", "softmax"):
        system, own = matching.ROWS[which]
        assert system == "embedding"
        changed = {k for k, v in own.items() if matching.ROWS["hinge"][1].get(k) != v}
        named = {"without pictures": {"pictures"}, "without captions": {"captions"},
                 "across alone": {"pictures", "captions"}, "softmax": {"objective"}}  # fmt: skip
        assert changed == named[which]
