"""What the small machine says where it cannot be made."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BOUND_S = 60
MODULES = Path(__file__).parents[1]
# An overlay ends with the mount namespace.
BOOT = """\
mkdir lower upper work merged
mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged
exec "$0" -c 'from pathlib import Path; from boot.container import Container; Container(Path("merged"), []).boot()'
"""


def test_a_folder_on_an_overlay_is_refused_with_a_sentence(tmp_path: Path) -> None:
    ended = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-e", "-c", BOOT, sys.executable],
        cwd=tmp_path,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(MODULES)},
        capture_output=True,
        text=True,
        timeout=BOUND_S,
    )

    assert ended.returncode == 1, ended
    assert "AssertionError: merged is on an overlay" in ended.stderr
    assert "--volume /tmp" in ended.stderr
    assert not (tmp_path / "upper/upper").exists()
