"""The fault tests' own product. Modules that use it say `pytestmark = [pytest.mark.slow, xdist_group("faults")]`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.product import Product


@pytest.fixture(scope="session")
def fault_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """Started once, when the first test asks for it."""
    running = Product(tmp_path_factory.mktemp("faults"))
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def product(fault_stack: Product) -> Iterator[Product]:
    """Everything up and idle before the test, whatever the test before has broken."""
    fault_stack.mend()
    yield fault_stack
