"""A real JupyterLab in a real browser, for the viewer's tests and measurements."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["Lab", "browser", "chromium", "jupyter_lab", "run"]

ROOT = Path(__file__).resolve().parents[1]

SWITCHES = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)

_OPENED = """async () => {
    const app = window.jupyterapp;
    const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    let panel = null;
    for (let k = 0; k < 600 && !panel; k++) {
        const found = app.shell.currentWidget;
        if (found && found.context && found.sessionContext) panel = found;
        else await wait(100);
    }
    await panel.context.ready;
    await panel.sessionContext.ready;
    await panel.sessionContext.session.kernel.info;
    window.panel = panel;
}"""

_RUN_ALL = """async () => {
    await window.jupyterapp.commands.execute('notebook:run-all-cells');
    window.cellsEnded = performance.now();
    const cells = window.panel.content.model.sharedModel.cells;
    return cells.flatMap((cell) => cell.outputs || []).filter((o) => o.output_type === 'error').map((o) => o.evalue);
}"""

_RUN = """async (code) => {
    let text = '';
    const future = window.panel.sessionContext.session.kernel.requestExecute({ code });
    future.onIOPub = (message) => {
        if (message.header.msg_type === 'stream') text += message.content.text;
        if (message.header.msg_type === 'error') text += message.content.traceback.join('\\n');
    };
    await future.done;
    return text;
}"""


def chromium() -> str | None:
    """Path of an installed Chromium or Chrome."""
    return shutil.which("chromium") or shutil.which("google-chrome")


@contextlib.contextmanager
def browser(profile: Path) -> Iterator[Any]:
    """A headless browser (a Playwright context) with a profile of its own."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(profile),
            executable_path=chromium(),
            args=SWITCHES.split(),
            viewport={"width": 1300, "height": 1000},
            accept_downloads=True,
        )
        context.set_default_timeout(30_000)
        try:
            yield context
        finally:
            context.close()


class Lab:
    """A running JupyterLab; notebooks lie in ``root``."""

    def __init__(self, url: str, token: str, root: Path) -> None:
        self.url, self.token, self.root = url, token, root

    def open(self, context: Any, name: str, cells: list[str], before: str = "") -> Any:
        """Write a notebook, open it and run all its cells; return the browser's page.

        `before` is a script that runs in the page before anything else.
        """
        import nbformat

        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
        notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
        (self.root / f"{name}.ipynb").write_text(nbformat.writes(notebook), encoding="utf-8")
        page = self.open_file(context, name, before)
        errors = page.evaluate(_RUN_ALL)
        assert not errors, errors
        return page

    def open_file(self, context: Any, name: str, before: str = "") -> Any:
        """Open a notebook that lies in the folder, run nothing, and return the browser's page."""
        page = context.new_page()
        if before:
            page.add_init_script(before)
        page.goto(f"{self.url}/lab/tree/{name}.ipynb?token={self.token}&reset")
        page.wait_for_function("window.jupyterapp && window.jupyterapp.restored.then(() => true)", timeout=90_000)
        page.evaluate(_OPENED)
        return page


def run(page: Any, code: str) -> Any:
    """Run code in the page's kernel, beside its cells; return the JSON that it prints."""
    said = page.evaluate(_RUN, code)
    try:
        return json.loads(said)
    except json.JSONDecodeError:
        raise AssertionError(said) from None


@contextlib.contextmanager
def jupyter_lab(base: Path) -> Iterator[Lab]:
    """JupyterLab on a free port, with settings and folders of its own below `base`."""
    root = base / "notebooks"
    root.mkdir()
    settings = base / "config" / "lab" / "user-settings"
    for name, values in {
        "notebook-extension/tracker": {"windowingMode": "none"},
        "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    }.items():
        path = settings / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), encoding="utf-8")
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(base / "config"),
        "JUPYTER_DATA_DIR": str(base / "data"),
        "JUPYTER_RUNTIME_DIR": str(base / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTERLAB_WORKSPACES_DIR": str(base / "workspaces"),
        "IPYTHONDIR": str(base / "ipython"),
        "PYTHONPATH": str(ROOT),
    }
    environment.pop("WADLIB_BOOK", None)
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(12)
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}"),
        *(f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={root}", "--ServerApp.port_retries=0"),
        *("--allow-root", "--expose-app-in-browser"),
    ]
    with (base / "log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(400):
            with (
                contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError),
                urllib.request.urlopen(f"{url}/api?token={token}", timeout=5),
            ):
                break
            assert server.poll() is None, (base / "log").read_text()
            time.sleep(0.2)
        yield Lab(url, token, root)
    finally:
        # The whole group: the kernels too.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
            try:
                server.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait(15)
