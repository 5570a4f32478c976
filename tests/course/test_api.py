"""The reference of the book: what is public is on a page."""

import importlib
import inspect
import pkgutil
import re

import wadlib
from wadlib.course.api import CORE, ROOMS, write_reference


def test_every_room_has_a_page_or_is_private():
    packages = {info.name for info in pkgutil.iter_modules(wadlib.__path__) if info.ispkg}
    assert packages - set(ROOMS) == {"_shared", "cli", "classroom"}  # the last only forwards


def test_every_public_name_stands_on_one_page(tmp_path):
    front, *pages = write_reference(tmp_path)
    assert [path.stem for path in pages] == ["core", *ROOMS]
    assert all(f"   {path.stem}\n" in front.read_text(encoding="utf-8") for path in pages)
    text = "\n".join(path.read_text(encoding="utf-8") for path in pages)
    for name in (*CORE, "graphcut.moves", "maskrcnn.config", "metrics.ap"):
        module = importlib.import_module(f"wadlib.{name}")
        (members,) = re.findall(rf"automodule:: wadlib\.{name}\n   :members: (.*)", text)
        listed = set(members.split(", "))
        public = {each: value for each, value in vars(module).items() if not each.startswith("_")}
        things = {
            each
            for each, value in public.items()
            if (inspect.isroutine(value) or inspect.isclass(value)) and value.__module__ == module.__name__
        }
        assert things <= listed <= set(public), name
        for each in listed:
            assert text.count(f"   wadlib.{name}.{each}\n") == callable(getattr(module, each)), each
