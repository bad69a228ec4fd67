"""Review of some items by people: which are drawn, and what their answers say of all."""
