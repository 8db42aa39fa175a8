"""Libraries that crash each other when they are loaded in the wrong order must not do so here."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.integration
@pytest.mark.parametrize(
    "modules", [("ams_ros.context.index.vector_graph", "rclpy"), ("rclpy", "ams_ros.context.index.vector_graph")]
)
def test_the_vector_graph_and_rclpy_may_be_loaded_in_either_order(modules: tuple[str, str]) -> None:
    program = (
        "import importlib, numpy as np\n"
        f"for module in {modules!r}: importlib.import_module(module)\n"
        "import rclpy\n"
        "from usearch.index import Index\n"
        "context = rclpy.Context(); context.init(); context.try_shutdown()\n"
        "index = Index(ndim=4, metric='ip', dtype='f16'); index.add(7, np.ones(4, np.float16))\n"
        "print(index.search(np.ones(4, np.float16), 1).keys[0])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "7"), done.stderr
