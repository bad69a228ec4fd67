"""The guide in a real browser: its search works, under the service's policy and without another host."""

import pytest

from app.pages.guide import BUILT

pytestmark = pytest.mark.skipif(not BUILT.is_dir(), reason="the guide is not built (make guide)")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (375, "dark")])
def test_a_reader_finds_a_page_by_searching(visit, width, scheme):
    with visit(width, scheme) as reader:
        reader.open("/guide")
        if width < 1000:
            reader.page.locator("label[for=__search]").first.click()
        reader.page.get_by_placeholder("Search").click()
        reader.page.keyboard.type("several machines", delay=50)
        reader.page.locator(".md-search-result__link").first.click()
        reader.page.wait_for_url("**/guide/machines.html*")
        assert reader.findings() == []
        assert not reader.is_wider_than_the_screen()
        reader.picture(f"guide-{width}-{scheme}")
