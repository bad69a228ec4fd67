"""Language models as classifiers: a template asks, the word at its mask answers. See `docs/language.md`.

`item_tokenizer`, `filled_template`, `word_tokens` and `text_tasks` import no torch; the other modules do.
"""
