# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.cozeops.studio.plugins.module_utils._variables import sentence, unknown

KNOWN = {"stack": {"stack_source", "stack_name", "stack_public_url"}, "mysql": {"mysql_memory"}, "coze_server": {"coze_server_memory"}}


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("stack_sorce", "stack_source"),
        ("stack_publicurl", "stack_public_url"),
        ("stack_nam", "stack_name"),
        ("mysql_memori", "mysql_memory"),
        ("mysql_ram_of_the_container", None),
        ("coze_server_mem", "coze_server_memory"),
    ],
)
def test_a_misspelt_variable_is_told_with_the_nearest(name: str, near: str | None) -> None:
    assert unknown([name], KNOWN) == [(name, near)]


@pytest.mark.parametrize("name", ["stack_source", "mysql_memory", "stack", "mysqlmemory", "_stack_source", "__stack_x", "ansible_host", "coze_x", "Stack_x"])
def test_other_variables_are_nobodys_business(name: str) -> None:
    assert unknown([name], KNOWN) == []


def test_variables_are_told_in_order() -> None:
    assert [name for name, _near in unknown(["stack_b", "mysql_a", "stack_a"], KNOWN)] == ["mysql_a", "stack_a", "stack_b"]


def test_the_sentence_asks() -> None:
    assert sentence("stack_sorce", "stack_source") == "stack_sorce is no variable of this collection; did you mean stack_source?"
    assert sentence("stack_x", None) == "stack_x is no variable of this collection."
