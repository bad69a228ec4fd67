"""Adaptation in closed form: linear classifiers over frozen features, without gradients. See docs/closed-forms.md."""
