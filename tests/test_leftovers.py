"""A test leaves its process as it was."""

from __future__ import annotations

import importlib
import os
import sys

from tests.leftovers import as_before


def test_what_was_imported_and_set_is_not_there_for_the_next_test(tmp_path):
    """Modules of a folder, also in packages and namespace packages; the path, and variables."""
    (tmp_path / "space_of_a_test" / "pack").mkdir(parents=True)
    (tmp_path / "space_of_a_test" / "pack" / "__init__.py").write_text("import one_of_a_test")
    (tmp_path / "one_of_a_test.py").touch()
    os.environ["LOOPVIZ_KEPT"] = "kept"
    with as_before(tmp_path):
        sys.path.insert(0, str(tmp_path))
        importlib.import_module("space_of_a_test.pack")
        os.environ["LOOPVIZ_NEW"] = "new"
        os.environ["LOOPVIZ_KEPT"] = "changed"
        assert "one_of_a_test" in sys.modules
    assert not [name for name in sys.modules if "of_a_test" in name]
    assert str(tmp_path) not in sys.path
    assert "LOOPVIZ_NEW" not in os.environ
    assert os.environ["LOOPVIZ_KEPT"] == "kept"
