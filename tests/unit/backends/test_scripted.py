"""A script that cannot be played back is refused by its file."""

from pathlib import Path

import pytest

from pytest_whisperq.backends.scripted import ScriptedBackend
from pytest_whisperq.system.errors import BuildError


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("{", "scripted.json: is no JSON"),
        ("[1]", "has no table of texts for precision 'int8'; add it to the script"),
        ('{"int8": 3}', "has no table of texts for precision 'int8'; add it to the script"),
    ],
)
def test_a_script_that_is_none_is_refused_by_its_file(tmp_path: Path, script: str, says: str) -> None:
    (tmp_path / "scripted.json").write_text(script, encoding="utf-8")
    with pytest.raises(BuildError, match=says):
        ScriptedBackend().build("int8", tmp_path, tmp_path, None)
