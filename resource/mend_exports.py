"""Make the CMake files of the ROS wheels usable here: `python mend_exports.py [PREFIX]`.

Some of the wheels' share/*/cmake/*Export.cmake name the include folders of the machine that built them, and CMake
refuses targets whose include folders do not exist. They become the ones of the interpreter that runs this. A second
run changes nothing.
"""

from __future__ import annotations

import re
import sys
import sysconfig
from pathlib import Path

import numpy


def mend_exports(prefix: Path) -> int:
    """Mend every export file below prefix/share and return how many needed it."""
    mended = 0
    for export in sorted(prefix.glob("share/*/cmake/*_pyExport.cmake")):
        before = export.read_text(encoding="utf-8")
        after = re.sub(r'/opt/python/[^;"]*/numpy/_core/include', lambda _: numpy.get_include(), before)
        after = re.sub(r'/opt/python/[^;"/]*/include/python3\.\d+', lambda _: sysconfig.get_path("include"), after)
        if after != before:
            export.write_text(after, encoding="utf-8")
            mended += 1
    return mended


if __name__ == "__main__":
    prefix = Path(sys.argv[1] if len(sys.argv) > 1 else sys.prefix)
    print(f"{mend_exports(prefix)} CMake export files mended in {prefix}")
