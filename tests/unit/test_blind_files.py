"""Where a blind test takes its pictures and its answers from."""

import pytest

from lungsynth.study.study import Study
from lungsynth.workflow.files import Files


def files(**changes) -> Files:
    return Files(Study.model_validate({"study": "mine"} | changes), {})


def test_composites_are_asked_for_as_released_beside_slices_of_test_patients():
    sides = files().blind_sides()
    assert sides["real"] == "results/mine/banks/lesions_test.npz"
    assert sides["beside"] == ["results/mine/banks/lesions_test.csv"]
    assert sides["generated"][1] == "results/mine/refine/shards/1.npy"
    assert sides["released"][1] == "results/mine/export/1-images.parquet"


def test_pictures_are_asked_for_as_selected_beside_the_test_bank():
    sides = files(chain="pictures").blind_sides()
    assert sides["generated"] == "results/mine/generate/pictures/selected.npz"
    assert sides["beside"] == ["results/mine/banks/pictures_test.csv", "results/mine/generate/pictures/selected.csv"]


def test_answers_are_all_tables_of_the_folder_in_the_order_of_their_names(tmp_path, monkeypatch):
    monkeypatch.setenv("LUNGSYNTH_DATA", str(tmp_path))
    folder = tmp_path / "read"
    folder.mkdir()
    for name in ("b.CSV", "a a.csv", "~$a.csv", ".c.csv", "notes.txt"):
        (folder / name).touch()
    found = files(utility={"reader": {"answers": "read"}}).reader_answers(None)
    assert found == [str(folder / "a a.csv"), str(folder / "b.CSV")]


@pytest.mark.parametrize(
    ("names", "line"),
    [
        (None, "there is no folder results/mine/reader/answers"),
        ([], "results/mine/reader/answers holds no .csv file"),
        (["{x}.csv"], "{x}.csv: Snakemake takes braces"),
    ],
)
def test_answers_that_are_not_there_are_one_line(tmp_path, monkeypatch, capsys, names, line):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "results/mine/reader/answers"
    if names is not None:
        folder.mkdir(parents=True)
    for name in names or []:
        (folder / name).touch()
    with pytest.raises(SystemExit):
        files().reader_answers(None)
    said = capsys.readouterr().err
    assert said.startswith("lungsynth: ") and line in said and said.count("\n") == 1


def test_the_orientation_is_balanced_as_the_set():
    def labelled(**numbers):
        return Study.model_validate({"utility": {"reader": numbers}}).utility.reader.labelled

    assert labelled() == (10, 10)
    assert labelled(orientation=9, real=10, generated=20) == (3, 6)
    assert labelled(orientation=0) == (0, 0)
