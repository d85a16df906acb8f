"""A module is written whole or not at all."""

import errno
import os
import pathlib
import stat

import numpy as np
import pytest

import graphgrad as gg
from graphgrad.run import save as saving


@pytest.fixture
def model():
    x = gg.input("x", (100,))
    return gg.compile(gg.sum(x * gg.const(np.arange(100, dtype=np.float32))))


def listing(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_it_replaces_what_was_there(model, tmp_path):
    (tmp_path / "m.py").write_text("old")
    assert model.save(str(tmp_path / "m.py")) == tmp_path / "m.py"
    assert listing(tmp_path)["m.py"].decode() == model.source
    first = listing(tmp_path)
    model.save(tmp_path / "m.py")
    assert listing(tmp_path) == first  # the same bytes, arrays included


def test_a_new_file_has_the_usual_permissions(model, tmp_path):
    (tmp_path / "usual").write_text("")
    model.save(tmp_path / "m.py")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("usual", "m.py", "m.npz")]
    assert len(set(modes)) == 1


@pytest.mark.parametrize("failing", ["write", "arrays", "replace"])
def test_a_failure_leaves_what_was_there(model, tmp_path, monkeypatch, failing):
    (tmp_path / "m.py").write_text("old")
    (tmp_path / "m.npz").write_text("old arrays")
    before = listing(tmp_path)

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "somewhere")

    if failing == "write":
        kept = open

        def opening(path, mode="r", *more, **named):
            return full() if "m.py" in str(path) else kept(path, mode, *more, **named)

        monkeypatch.setattr(saving, "open", opening, raising=False)
    elif failing == "arrays":
        monkeypatch.setattr(np.lib.format, "write_array", full)
    else:
        monkeypatch.setattr(saving.os, "replace", full)
    with pytest.raises(OSError, match="No space left") as error:
        model.save(tmp_path / "m.py")
    assert error.value.filename == str(tmp_path / "m.py")
    assert listing(tmp_path) == before


@pytest.mark.parametrize("folder", ["m.py", "m.npz"])
def test_a_folder_is_no_module(model, tmp_path, folder):
    (tmp_path / folder).mkdir()
    with pytest.raises(gg.InvalidValueError, match="is a folder"):
        model.save(tmp_path / "m.py")
    assert listing(tmp_path) == {}


def test_a_missing_folder(model, tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        model.save(tmp_path / "nothing" / "m.py")
    assert error.value.filename == str(tmp_path / "nothing" / "m.py")


@pytest.mark.parametrize(
    ("path", "error"),
    [("model", gg.InvalidValueError), ("model.txt", gg.InvalidValueError), ("", gg.InvalidValueError),
     (None, gg.ArgumentError), (3, gg.ArgumentError), (b"m.py", gg.ArgumentError)],
)  # fmt: skip
def test_what_is_no_path_of_a_module(model, path, error):
    with pytest.raises(error):
        model.save(path)


def test_long_and_odd_file_names(model, tmp_path):
    for name in ("m" * 200 + ".py", "ü b.py", "a'b\"c.py"):
        assert pathlib.Path(model.save(tmp_path / name)).read_text(encoding="utf-8") == model.source
