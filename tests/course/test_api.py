"""The reference of the book: what is public is on a page."""

import importlib
import pkgutil

import wadlib
from wadlib.course.api import CORE, ROOMS, write_reference


def test_every_room_has_a_page_or_is_private():
    packages = {info.name for info in pkgutil.iter_modules(wadlib.__path__) if info.ispkg}
    assert packages - set(ROOMS) == {"_shared", "cli"}


def test_every_public_name_stands_on_one_page(tmp_path):
    front, *pages = write_reference(tmp_path)
    assert [path.stem for path in pages] == ["core", *ROOMS]
    assert all(f"   {path.stem}\n" in front.read_text(encoding="utf-8") for path in pages)
    text = "\n".join(path.read_text(encoding="utf-8") for path in pages)
    names = [
        f"wadlib.{module}.{name}" for module in CORE for name in importlib.import_module(f"wadlib.{module}").__all__
    ]
    names += [
        "wadlib.graphcut.moves.alpha_expansion",
        "wadlib.maskrcnn.config.Config",
        "wadlib.metrics.ap.average_precision",
    ]
    for name in names:
        assert text.count(f"   {name}\n") == 1, name
