"""Uploading files in one form."""


def create(api, files=(), **fields):
    return api.post("/v1/datasets", data=fields, files=[("files", file) for file in files])
