# SPDX-License-Identifier: GPL-3.0-or-later
"""What is counted is what a restore has to bring back."""

from __future__ import annotations

import pytest
from ansible_collections.cozeops.studio.plugins.modules.stack_counts import lasting


@pytest.mark.parametrize(
    ("info", "count"),
    [
        ({"redis_version": "8.0.2"}, 0),
        ({"db0": "keys=6,expires=6,avg_ttl=58000,subexpiry=0"}, 0),
        ({"db0": "keys=6,expires=2,avg_ttl=58000", "db3": "keys=10,expires=0,avg_ttl=0", "dbx": "keys=1,expires=0"}, 14),
    ],
)
def test_keys_that_expire_are_not_counted(info: dict[str, str], count: int) -> None:
    assert lasting(info) == count
