"""One helper compiles: lazily, one function inside another, and where numba has no folder for its cache."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np

from wadlib._shared.compiled import jit


@jit
def half(x):
    return x / 2


@jit(_nrt=False)
def halves(values):
    """Halve in place."""
    for i in range(len(values)):
        values[i] = half(values[i])


def test_one_compiled_function_calls_another():
    values = np.array([2.0, 4.0])
    halves(values)
    assert values.tolist() == [1.0, 2.0]


def test_the_function_keeps_its_name_and_its_python():
    assert (halves.__name__, halves.__doc__) == ("halves", "Halve in place.")
    assert half.py_func(3) == 1.5


def test_a_division_by_zero_is_numpy_s():
    @jit
    def divide(a, b):
        return a / b

    assert divide(1.0, 0.0) == np.inf


def test_threads_get_one_compiled_function():
    @jit
    def one(x):
        return x + 1

    seen = []
    threads = [threading.Thread(target=lambda: seen.append((one(1), id(one._dispatcher)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert len(set(seen)) == 1


def test_numba_is_imported_with_the_first_call():
    code = (
        "import sys\n"
        "from wadlib.instances.kernels import intersect_runs\n"
        "import wadlib.graphcut, wadlib.rendered\n"
        "assert 'numba' not in sys.modules\n"
        "import numpy as np\n"
        "shared, one = np.zeros((1, 1), np.int64), (np.array([0]), np.array([3]), np.array([0, 1]))\n"
        "intersect_runs(*one, *one, shared)\n"
        "assert 'numba' in sys.modules and shared[0, 0] == 3\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_a_folder_for_the_cache_it_is_compiled_anew(monkeypatch):
    import numba

    tried = []

    def njit(**options):
        tried.append(options["cache"])
        if options["cache"]:
            raise RuntimeError("cannot cache function 'f': no locator available")
        return lambda function: function

    monkeypatch.setattr(numba, "njit", njit)
    assert jit(lambda x: x + 1)(1) == 2
    assert tried == [True, False]
