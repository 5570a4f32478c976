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
    home = [name for name, value in vars(module).items() if getattr(value, '__module__', None) == info.name]
    for name in {*getattr(module, '__all__', []), *(name for name in home if not name.startswith('_'))}:
        thing = getattr(module, name, None)
        if thing is None or (inspect.isfunction(thing) or inspect.isclass(thing)) and not (thing.__doc__ or '').strip():
            print(f'{info.name}.{name}')
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []


def test_former_names_of_the_cases_in_shared_still_lead_somewhere():
    """Notebooks and scripts of the first version import these; each is an alias, nothing of its own."""
    import numpy as np

    from wadlib import classroom
    from wadlib.course import classroom as now
    from wadlib.instances import Runs
    from wadlib.instances.instances_file import InstancesFile, frame_name
    from wadlib.interop import rle
    from wadlib.metrics import DetectionFile, RunMasks, detection_file

    assert [getattr(classroom, name) for name in now.__all__] == [getattr(now, name) for name in now.__all__]
    assert (detection_file.DetectionFile, detection_file.frame_name) == (InstancesFile, frame_name)
    assert (DetectionFile, RunMasks) == (InstancesFile, Runs)
    mask = np.array([[0, 1], [1, 1]], bool)
    assert rle.encode(mask) == rle.encode_runs(Runs.from_array(mask[None]))[0] == {"size": [2, 2], "counts": "13"}
    np.testing.assert_array_equal(rle.decode(rle.encode(mask)), mask)
