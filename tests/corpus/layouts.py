"""Every folder of pictures or texts with the labels that it was meant to have."""

from tests.corpus.drawn import DRAWN_LAYOUTS
from tests.corpus.exports import EXPORTED_LAYOUTS
from tests.corpus.labels import LAYOUTS
from tests.corpus.tools import TOOL_LAYOUTS

ALL_LAYOUTS = (*LAYOUTS, *EXPORTED_LAYOUTS, *TOOL_LAYOUTS, *DRAWN_LAYOUTS)
