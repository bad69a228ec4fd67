"""Language models as classifiers: a template asks, the word at its mask answers. See `docs/language.md`.

Pure modules (`template`, `label_words`, `encoder`, `vocabulary`, `tasks`) import no torch; `model` and `loading` do.
"""
