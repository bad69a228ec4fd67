"""Inputs of predictions, as JSON has them."""

import base64


def encoded(content):
    return {"image": base64.b64encode(content).decode()}
