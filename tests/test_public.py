"""The one visible dict of public data sets."""

import pytest
from PIL import Image

from t2ilab.data import public
from t2ilab.errors import DataError, UsageError

pytestmark = pytest.mark.usefixtures("own_cache")


def test_each_data_set_says_what_it_is_and_where_it_comes_from():
    assert list(public.DATASETS) == [
        "flickr8k",
        "flickr30k",
        "flickr30k_entities",
        "coco",
        "cub",
        "oxford_flowers",
    ]
    for dataset in public.DATASETS.values():
        source = dataset.source
        assert dataset.title == source.title
        assert all([source.title, source.licence, source.get, source.layout])
        assert {"train", "val", "test"} <= set(dataset.splits)


@pytest.mark.parametrize("name", public.DATASETS)
def test_an_empty_root_is_answered_with_what_to_get_and_the_layout(tmp_path, name):
    source = public.DATASETS[name].source
    for root in (tmp_path, tmp_path / "nowhere", None, ""):
        with pytest.raises(DataError) as caught:
            public.load(name, root, "train", 16)
        assert all(text in str(caught.value) for text in (source.title, source.get, source.layout))


def test_a_wrong_name_gets_the_nearest_and_the_list(tmp_path):
    with pytest.raises(
        UsageError, match="did you mean 'flickr8k'.*flickr8k, flickr30k, flickr30k_ent"
    ):
        public.load("flickr", tmp_path, "train", 16)


def test_a_wrong_split_is_answered_before_any_file_is_looked_for(tmp_path):
    for name in public.DATASETS:
        with pytest.raises(UsageError, match="unknown split 'dev'"):
            public.load(name, tmp_path / "nowhere", "dev", 16)


def test_the_options_reach_the_loader(tmp_path):
    (tmp_path / "images").mkdir()
    for name, width in (("1.jpg", 30), ("2.jpg", 60), ("3.jpg", 30)):
        image = Image.new("L", (width, 20))
        image.paste(255, (0, 0, 15, 20))
        image.save(tmp_path / "images" / name)
    (tmp_path / "images" / "3.jpg").write_text("broken")
    (tmp_path / "Flickr_8k.trainImages.txt").write_text("1.jpg\n2.jpg\n3.jpg\n")
    (tmp_path / "Flickr8k.token.txt").write_text(
        "".join(f"{i}.jpg#{k}\ta dog\n" for i in (1, 2, 3) for k in range(5))
    )
    said = []
    data = public.load(
        "flickr8k", tmp_path, "train", 20, crop="squash", skip=True, cache=False, report=said.append
    )
    assert len(data) == 2 and len(said) == 2
    assert [int((picture[10, :, 0] > 128).sum()) for picture in data.images] == [10, 5]
    assert not (tmp_path / "cache").exists()
    assert len(public.load("flickr8k", tmp_path, "train", 20, n=1, report=None)) == 1
