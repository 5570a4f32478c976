"""Every name that a module offers is there and says what it is."""

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_public_names_exist_and_have_docstrings():
    """By importing everything: what a package offers lazily is found in no source."""
    code = """
import importlib, inspect, pkgutil, wadlib
for info in pkgutil.walk_packages(wadlib.__path__, 'wadlib.'):
    module = importlib.import_module(info.name)
    if not (module.__doc__ or '').strip():
        print(info.name)
    for name in getattr(module, '__all__', []):
        thing = getattr(module, name, None)
        if thing is None or (inspect.isfunction(thing) or inspect.isclass(thing)) and not (thing.__doc__ or '').strip():
            print(f'{info.name}.{name}')
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []
