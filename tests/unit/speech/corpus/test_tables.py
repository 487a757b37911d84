"""Parquet files and datasets directories, with the recordings inside them."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from httpx import Request, Response
from huggingface_hub.errors import GatedRepoError

from pytest_whisperq.speech import audio
from pytest_whisperq.speech.corpus import Utterance, load_corpus
from pytest_whisperq.speech.corpus.rows import utterance
from pytest_whisperq.speech.corpus.types import Choices
from pytest_whisperq.system.errors import CorpusError

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


def wav(level: float) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.full(160, level), 16_000, format="WAV")
    return file.getvalue()


def row(level: float, text: str, path: str | None = "clip.wav") -> dict[str, Any]:
    return {"audio": {"bytes": wav(level), "path": path}, "text": text, "language": "en"}


def level(item: Utterance) -> float:
    return round(float(audio.load(item.audio)[0]), 3)


def test_parquet_with_audio_bytes(tmp_path: Path) -> None:
    parquet.write_table(
        pa.Table.from_pylist([row(0.1, "one", "x/a.wav"), row(0.2, "two", None)]), tmp_path / "t.parquet"
    )
    first, second = load_corpus(tmp_path / "t.parquet").utterances
    assert (first.id, first.reference, first.language, level(first)) == ("x/a.wav", "one", "en", 0.1)
    assert second.where.endswith("t.parquet row 1")
    assert (second.reference, level(second)) == ("two", 0.2)


def test_repeated_paths_stay_different_utterances_within_and_across_shards(tmp_path: Path) -> None:
    """Ids key the digests of clips: two utterances of one id would be scored on one and the same transcript."""
    for shard in (0, 1):
        rows = [row(0.1 + shard / 5, f"{shard} one"), row(0.2 + shard / 5, f"{shard} two")]
        parquet.write_table(pa.Table.from_pylist(rows), tmp_path / f"{shard}.parquet")
    found = load_corpus(tmp_path).utterances
    assert [item.reference for item in found] == ["0 one", "0 two", "1 one", "1 two"]
    assert [level(item) for item in found] == [0.1, 0.2, 0.3, 0.4]
    assert len({item.id for item in found}) == 4


def test_a_bad_row_is_named_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.Table.from_pylist([row(0.1, "one"), row(0.2, "")]), path)
    with pytest.raises(CorpusError, match=f"^{path} row 1: empty transcript"):
        load_corpus(path)
    parquet.write_table(pa.Table.from_pylist([{"audio": row(0.1, "")["audio"]}]), path)
    with pytest.raises(
        CorpusError, match=f"^{path} row 0: has no transcript; its columns are: audio; keep exactly one of text"
    ):
        load_corpus(path)


def shard(folder: Path, stem: str, *texts: str) -> None:
    folder.mkdir(exist_ok=True)
    rows = [row(0.1 + 0.1 * number, text) for number, text in enumerate(texts)]
    parquet.write_table(pa.Table.from_pylist(rows), folder / f"{stem}.parquet")


def test_of_a_folder_with_splits_one_is_read_as_of_the_hubs(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for stem, text in (("train-00000-of-00001", "learnt"), ("test-00000-of-00002", "a"), ("test-00001-of-00002", "b")):
        shard(data, stem, text)
    assert [item.reference for item in load_corpus(data).utterances] == ["a", "b"]
    assert [item.reference for item in load_corpus(f"{data}@train").utterances] == ["learnt"]
    with pytest.raises(CorpusError, match=r"choose a split with .*@SPLIT; it has: test, train"):
        load_corpus(f"{data}@dev")


def test_splits_of_which_none_is_obvious_have_to_be_named(tmp_path: Path) -> None:
    for stem in ("train", "validation"):
        shard(tmp_path, stem, stem)
    with pytest.raises(CorpusError, match=r"choose a split with .*@SPLIT; it has: train, validation"):
        load_corpus(tmp_path)
    assert [item.reference for item in load_corpus(f"{tmp_path}@validation").utterances] == ["validation"]


def test_a_folder_of_one_split_is_all_of_it_and_a_folder_may_be_a_split(tmp_path: Path) -> None:
    shard(tmp_path, "train-00000-of-00001", "learnt")
    shard(tmp_path / "test", "0", "heard")
    assert [item.reference for item in load_corpus(tmp_path).utterances] == ["learnt"]
    assert [item.reference for item in load_corpus(f"{tmp_path}@test").utterances] == ["heard"]


@pytest.mark.parametrize(
    "names",
    [
        *(("train_0", "test_0"), ("train.0000", "test.0000"), ("train-1", "test"), ("train1", "test1")),
        ("train-00000-of-00001-a09b74b3ef9c3b56", "test-00000-of-00001-c3b56a09b74b3ef9"),
    ],
)
def test_splits_that_are_numbered_in_other_ways_are_not_mixed(tmp_path: Path, names: tuple[str, str]) -> None:
    for stem, text in zip(names, ("learnt", "heard"), strict=True):
        shard(tmp_path, stem, text)
    assert [item.reference for item in load_corpus(tmp_path).utterances] == ["heard"]


def test_files_whose_names_tell_no_split_are_all_read(tmp_path: Path) -> None:
    for stem in ("monday", "tuesday-2", "tests"):
        shard(tmp_path, stem, stem)
    assert [item.reference for item in load_corpus(tmp_path).utterances] == ["monday", "tests", "tuesday-2"]


@pytest.mark.parametrize("split", ["test", "train-00000-of-00001"])
def test_files_that_tell_no_split_beside_one_that_does_do_not_go_unheard(tmp_path: Path, split: str) -> None:
    for stem in ("monday", split):
        shard(tmp_path, stem, stem)
    name = split.partition("-")[0]
    with pytest.raises(CorpusError, match=rf"tell a split \({name}\).*\(monday\.parquet\).*@SPLIT"):
        load_corpus(tmp_path)
    assert [item.reference for item in load_corpus(f"{tmp_path}@{name}").utterances] == [split]


def test_a_damaged_parquet_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1 not really PAR1")
    with pytest.raises(CorpusError, match=r"t\.parquet: is not a readable parquet file"):
        load_corpus(tmp_path / "t.parquet")


def test_an_empty_parquet_file_is_never_a_corpus(tmp_path: Path) -> None:
    parquet.write_table(pa.Table.from_pylist([row(0.1, "x")]).slice(0, 0), tmp_path / "t.parquet")
    with pytest.raises(CorpusError, match="holds no utterance"):
        load_corpus(tmp_path / "t.parquet")


def test_a_decoded_array_is_taken_too(tmp_path: Path) -> None:
    value = {"array": [0.25] * 80, "sampling_rate": 8_000, "path": "a.wav"}
    item = utterance({"audio": value, "text": "x"}, where="row 0", root=tmp_path)
    assert audio.load(item.audio).shape == (160,)


def test_a_datasets_directory_and_its_splits(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")

    def table(*rows: dict[str, Any]) -> Any:
        # Encoding through the Audio feature needs torchcodec; the bytes are encoded already.
        return datasets.Dataset.from_list(list(rows)).cast_column("audio", datasets.Audio())

    table(row(0.1, "one"), row(0.2, "two")).save_to_disk(tmp_path / "single")
    assert [(u.reference, level(u)) for u in load_corpus(tmp_path / "single").utterances] == [
        ("one", 0.1),
        ("two", 0.2),
    ]
    with pytest.raises(CorpusError, match="has no splits, so @test names nothing"):
        load_corpus(f"{tmp_path / 'single'}@test")

    splits = datasets.DatasetDict({"dev": table(row(0.3, "dev")), "train": table(row(0.4, "train"))})
    splits.save_to_disk(tmp_path / "many")
    assert load_corpus(f"{tmp_path / 'many'}@dev").utterances[0].reference == "dev"
    with pytest.raises(CorpusError, match=r"choose a split with .*@SPLIT; it has: dev, train"):
        load_corpus(tmp_path / "many")


def test_a_damaged_datasets_directory_is_named(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    (tmp_path / "state.json").write_text("{", encoding="utf-8")
    with pytest.raises(CorpusError, match=f"^{tmp_path}: cannot be loaded as a datasets directory"):
        load_corpus(tmp_path)


def test_a_gated_data_set_is_told_with_what_opens_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Datasets wraps the hub's own error in one of its own."""
    datasets = pytest.importorskip("datasets")
    response = Response(403, request=Request("GET", "https://huggingface.co"))

    def refuse(*arguments: object, **options: object) -> None:
        raise FileNotFoundError("'owner/calls' is a gated data set") from GatedRepoError("403", response=response)

    monkeypatch.setattr(datasets, "load_dataset", refuse)
    told = "it is gated: ask for access at https://huggingface.co/datasets/owner/calls, and set HF_TOKEN"
    with pytest.raises(CorpusError, match=f"^--whisperq-corpus: .*gated data set.; {told}"):
        load_corpus("owner/calls")


class FakeHub:
    """Ten shards of a hundred rows, as the hub streams them; ``read`` counts those that anybody asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.datasets = pytest.importorskip("datasets")
        self.read = 0
        self.asked: list[bool] = []
        monkeypatch.setattr(self.datasets, "load_dataset", self.load)
        monkeypatch.setattr(self.datasets.config, "HF_HUB_OFFLINE", False)

    def load(self, name: str, config: str | None, *, streaming: bool) -> Any:
        assert (name, config) == ("owner/calls", None)
        self.asked.append(streaming)
        numbers = {"shards": list(range(10))}
        if streaming:
            return {"test": self.datasets.IterableDataset.from_generator(self.rows, gen_kwargs=numbers)}
        return {"test": self.datasets.Dataset.from_list(list(self.rows(**numbers)))}

    def rows(self, shards: list[int]) -> Iterator[dict[str, Any]]:
        for shard in shards:
            for number in range(100):
                self.read += 1
                yield row((1 + number) / 200, f"{shard} {number}", None)


def test_of_the_hub_no_more_rows_are_streamed_than_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = FakeHub(monkeypatch)
    corpus = load_corpus("owner/calls", choices=Choices(hub_rows=120, hub_seed=3))
    assert len(corpus.utterances) == 120
    assert 120 < hub.read < 200  # of each shard that it draws from, a stream reads a few rows ahead
    assert hub.asked == [True]
    (note,) = corpus.notes
    assert note.startswith(
        "of owner/calls no more than 120 rows are heard, the first of some shards: no sample of the "
    )
    assert len({item.reference.split()[0] for item in corpus.utterances}) > 1
    others = [load_corpus("owner/calls", choices=Choices(hub_rows=1, hub_seed=seed)) for seed in range(5)]
    assert len({corpus.utterances[0].reference for corpus in others}) > 1


def test_without_a_number_the_hub_is_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = FakeHub(monkeypatch)
    assert len(load_corpus("owner/calls").utterances) == 1000
    assert hub.asked == [False]


def test_offline_the_cache_of_the_hub_is_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = FakeHub(monkeypatch)
    monkeypatch.setattr(hub.datasets.config, "HF_HUB_OFFLINE", True)
    assert len(load_corpus("owner/calls", choices=Choices(hub_rows=120)).utterances) == 1000
    assert hub.asked == [False]


def test_a_stream_that_breaks_off_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = FakeHub(monkeypatch)
    monkeypatch.setattr(hub, "rows", broken)
    with pytest.raises(CorpusError, match=r"^--whisperq-corpus: .*the hub could not provide it \(.*reset"):
        load_corpus("owner/calls", choices=Choices(hub_rows=120))


def broken(shards: list[int]) -> Iterator[dict[str, Any]]:
    yield row(0.5, "one")
    raise ConnectionError("connection reset")


@pytest.mark.parametrize(
    ("path", "is_fetched"),
    [
        ("hf://datasets/owner/calls@main/a.wav", True),
        ("zip://a.wav::hf://datasets/owner/calls@main/all.zip", True),
        ("hf://datasets/Owner/Calls@main/a.wav", True),
        ("hf://datasets/owner/others@main/a.wav", False),
        ("hf://datasets/owner/calls@main/a\n/../../../others/a.wav", False),
        ("hf://datasets/owner/calls/../others/a.wav", False),
        ("hf://datasets/owner/calls2/a.wav", False),
        ("file:///etc/passwd?hf://datasets/owner/calls/a.wav", False),
        ("hf://datasets/owner/calls/a.wav::file:///etc/passwd", False),
        ("file:///etc/passwd::hf://datasets/owner/calls/a.wav", False),
    ],
)
def test_a_streamed_row_fetches_recordings_of_its_own_data_set_only(
    path: str, *, is_fetched: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def stored(name: str, mode: str) -> io.BytesIO:
        opened.append(f"{name} {mode}")
        return io.BytesIO(wav(0.5))

    monkeypatch.setattr("fsspec.open", stored)
    hub = FakeHub(monkeypatch)
    monkeypatch.setattr(hub, "load", None)
    table = [{"audio": {"bytes": None, "path": path}, "text": "one", "language": "en"}]
    streamed = hub.datasets.Dataset.from_list(table).to_iterable_dataset()
    monkeypatch.setattr(hub.datasets, "load_dataset", lambda *_, **__: {"test": streamed})
    choices = Choices(hub_rows=1)
    if is_fetched:
        assert level(load_corpus("owner/calls", choices=choices).utterances[0]) == 0.5
        assert opened == [f"{path} rb"]
    else:
        with pytest.raises(CorpusError, match="row 0"):
            load_corpus("owner/calls", choices=choices)
        assert not opened


def test_an_audiofolder_may_be_listed_in_parquet(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.wav").write_bytes(wav(0.1))
    rows = [{"file_name": f"{name}.wav", "text": name} for name in ("a", "b")]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "metadata.parquet")
    corpus = load_corpus(tmp_path)
    assert [item.audio.path for item in corpus.utterances] == [tmp_path / "a.wav", tmp_path / "b.wav"]
    assert "no row in metadata.parquet names 1 recording (c.wav)" in corpus.notes[0]


def test_numbers_of_classes_are_read_by_their_names(tmp_path: Path) -> None:
    """FLEURS and VoxPopuli number their languages, and parquet has the names in its schema."""
    features = {"lang_id": {"names": ["af_za", "de_de"], "_type": "ClassLabel"}, "text": {"dtype": "string"}}
    audio_of = [row(0.1, "x", f"{number}.wav")["audio"] for number in range(3)]
    rows = [{"audio": one, "text": "x", "lang_id": number} for one, number in zip(audio_of, (0, 1, -1), strict=True)]
    table = pa.Table.from_pylist(rows)
    parquet.write_table(table, tmp_path / "plain.parquet")
    named = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    parquet.write_table(named, tmp_path / "named.parquet")
    assert [item.language for item in load_corpus(tmp_path / "named.parquet").utterances] == ["af", "de", None]
    with pytest.raises(CorpusError, match=r"row 0: language is 0, the number of a class.*--whisperq-language-column"):
        load_corpus(tmp_path / "plain.parquet")


def test_a_column_of_a_table_is_named_where_its_name_says_nothing(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    rows = [{"clip": row(0.1, "x")["audio"], "said": "one"}]
    datasets.Dataset.from_list(rows).cast_column("clip", datasets.Audio()).save_to_disk(tmp_path / "disk")
    choices = Choices(audio_column="clip", text_column="said")
    (item,) = load_corpus(tmp_path / "disk", choices=choices).utterances
    assert (item.reference, level(item)) == ("one", 0.1)
    with pytest.raises(CorpusError, match=r"disk: has no audio file; its columns are: clip, said; keep exactly one"):
        load_corpus(tmp_path / "disk")
