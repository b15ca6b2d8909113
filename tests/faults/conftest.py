"""The fault tests' own product. Modules that use it say `pytestmark = [pytest.mark.slow, xdist_group("faults")]`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.product import Product


@pytest.fixture(scope="session")
def fault_stack() -> Iterator[Product]:
    """Started once, when the first test asks for it.

    Not in pytest's own folder: every other test run that starts meanwhile shuts that to PostgreSQL's user.
    """
    with tempfile.TemporaryDirectory(prefix="millrace-faults-", ignore_cleanup_errors=True) as folder:
        running = Product(Path(folder))
        try:
            yield running
        finally:
            running.stop()


@pytest.fixture
def product(fault_stack: Product) -> Iterator[Product]:
    """Everything up and idle before the test, whatever the test before has broken."""
    fault_stack.mend()
    yield fault_stack
