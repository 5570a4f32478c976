"""The one way to compile a loop with numba: on its first call, and with a cache on disk wherever there is room for one.

A module that holds compiled functions can be imported at the top of any other: numba itself, which
takes a second to import, is loaded when the first of them is called.
"""

import functools
import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])
_lock = threading.RLock()  # a compiled function may call others, which are then compiled inside it


def jit(function: Function | None = None, /, **options: Any) -> Any:
    """Compile a function with numba when it is first called; use as ``@jit`` or ``@jit(parallel=True)``.

    Parameters
    ----------
    function : callable
        What numba can compile: loops over arrays. It may call other functions made by `jit`.
    **options
        For ``numba.njit``, on top of our own: ``cache`` (the machine code is kept beside the module, or in
        the user's cache), ``nogil`` (threads run side by side) and ``error_model="numpy"`` (a division by zero gives
        inf or nan, without a check).

    Returns
    -------
    callable
        The same function, compiled. Where numba may write its cache nowhere (an installation that belongs to
        root, and no home), it is compiled anew in every process. ``.py_func`` is the function in Python.

    Examples
    --------
    >>> @jit
    ... def half(x):
    ...     return x / 2
    >>> half(3)
    1.5
    """
    if function is None:
        return functools.partial(jit, **options)
    return cast(Function, _Compiled(function, {"cache": True, "nogil": True, "error_model": "numpy"} | options))


class _Compiled:
    """A function that becomes numba's when it is called, or when numba finds it inside another one."""

    def __init__(self, function: Callable[..., Any], options: dict[str, Any]) -> None:
        functools.update_wrapper(self, function)
        self.py_func = function
        self._options = options
        self._dispatcher: Any = None

    def __call__(self, *arguments: Any) -> Any:
        return (self._dispatcher or self._compile())(*arguments)

    @property
    def _numba_type_(self) -> Any:
        """What numba asks of a global name in the code that it compiles."""
        import numba

        return numba.typeof(self._dispatcher or self._compile())

    def _compile(self) -> Any:
        import numba

        with _lock:
            if self._dispatcher is None:
                try:
                    self._dispatcher = numba.njit(**self._options)(self.py_func)
                except RuntimeError:  # "no locator available": no folder that numba may write its cache to
                    self._dispatcher = numba.njit(**self._options | {"cache": False})(self.py_func)
        return self._dispatcher
