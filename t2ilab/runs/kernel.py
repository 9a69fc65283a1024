"""The kernel that runs use: the running interpreter, whatever kernels a machine has registered."""

import os
import shutil
import sys
import tempfile
import weakref
from typing import Any

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager


class ThisPython(AsyncKernelManager):
    """Starts `sys.executable`: a "python3" registered elsewhere may lack this package.

    It is spoken to through sockets in a folder of its own: of many kernels that start at once,
    two may be given the same TCP port. T2ILAB_PROFILE is emptied, for a run injects its profile.
    The folder is also the home of a user without one, for Jupyter needs one.
    """

    def __init__(self, **options: Any):
        super().__init__(**options)
        folder = tempfile.mkdtemp(prefix="t2ilab-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._home = {} if os.path.expanduser("~") != "~" else {"HOME": folder}
        path = os.path.join(folder, "kernel")
        if os.name == "posix" and len(path) < 90:  # a socket's path has at most about 104 letters
            self.transport, self.ip = "ipc", path

    @property
    def kernel_spec(self) -> Any:
        launch = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(
            argv=launch,
            display_name="Python 3",
            language="python",
            env={"T2ILAB_PROFILE": "", "PYDEVD_DISABLE_FILE_VALIDATION": "1", **self._home},
        )
