"""What a message shows of a URL."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archdsl.document.masking import masked, masked_message


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://host/x", "postgresql://me@host", "sqlite:///a b.db", "archdsl.db",
        "a message: without a URL, me@host, password is wrong",
        "postgresql://me:***@host/x: no answer",
    ],
)  # fmt: skip
def test_what_holds_no_password_stays(url: str) -> None:
    assert masked_message(url) == url


@pytest.mark.parametrize(
    "url",
    ["postgresql://host:5432/x", "postgresql://a:1,b:2/x", "/tmp/a:b", "sqlite:///a:b", "host:80"],
)
def test_a_port_and_a_file_are_no_password(url: str) -> None:
    assert masked(url) == url


@given(
    scheme=st.sampled_from(["postgresql://", "postgres:/", "postgresql:\\\\", "sftp://", " x://"]),
    password=st.text("abc@:/?&%\\ ", max_size=12).map(lambda text: f"S{text}S"),
)
def test_nothing_between_a_scheme_and_the_last_at_is_shown(scheme: str, password: str) -> None:
    assert masked(f"{scheme}me:{password}@host/x") == f"{scheme}…@host/x"
    assert "S" not in masked(f"host=h PassWord='{password}' dbname=x")
