import socket
import threading
import time


def test_no_url_in_a_request_is_fetched(api, rows, refused):
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(1.0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/a.png"
    called = []

    def listen():
        try:
            called.append(listener.accept())
        except TimeoutError:
            return

    thread = threading.Thread(target=listen)
    thread.start()
    model_id = rows.model()
    refused(api.post(f"/v1/models/{model_id}/predict", json={"inputs": [{"image": url}]}), 422, "invalid_base64")
    job = {"dataset_id": rows.dataset(), "class_names": ["a", "b"]}
    for base_model in (url, f"open_clip:ViT-B-32/{url}", f"hf-mlm:{url}"):
        answer = api.post("/v1/jobs", json={**job, "base_model": base_model})
        assert answer.status_code == 422
    api.post("/v1/datasets", files={"files": ("urls.txt", url.encode())})
    time.sleep(0.2)
    thread.join()
    listener.close()
    assert called == []
