from datetime import UTC, datetime, timedelta

import pytest


def walk(api, url, limit, between=lambda: None, **params):
    ids, cursor = [], None
    while True:
        query = {"limit": limit, **params} | ({"cursor": cursor} if cursor else {})
        page = api.get(url, params=query).json()
        ids += [row["id"] for row in page["data"]]
        assert page["object"] == "list"
        assert page["has_more"] is (page["next_cursor"] is not None)
        if not page["has_more"]:
            return ids
        cursor = page["next_cursor"]
        between()


@pytest.mark.parametrize(("resource", "make"), [("datasets", "dataset"), ("jobs", "job"), ("models", "model")])
@pytest.mark.parametrize("limit", [1, 3, 7, 100])
def test_pages_join_to_the_whole_list_newest_first(api, rows, resource, make, limit):
    made = [getattr(rows, make)() for _ in range(7)]
    assert walk(api, f"/v1/{resource}", limit) == made[::-1]


def test_rows_that_come_and_go_meanwhile_do_not_shift_the_rest(api, rows):
    made = [rows.dataset() for _ in range(6)]
    doomed = iter(made[::-1][:2])

    def disturb():
        rows.dataset()
        if (victim := next(doomed, None)) is not None:
            assert api.delete(f"/v1/datasets/{victim}").status_code == 204

    assert walk(api, "/v1/datasets", 2, disturb) == made[::-1]


def test_an_empty_list_is_a_list(api):
    assert api.get("/v1/jobs").json() == {"object": "list", "data": [], "has_more": False, "next_cursor": None}


def test_lists_are_narrowed_by_status_name_and_time(api, rows):
    old = rows.dataset("ready", name="a", created_at=datetime.now(UTC) - timedelta(days=2))
    new = rows.dataset("failed", name="b")
    yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat()

    def ids(**params):
        return [row["id"] for row in api.get("/v1/datasets", params=params).json()["data"]]

    assert ids(status="ready") == [old]
    assert ids(name="b") == [new]
    assert ids(created_after=yesterday) == [new]
    assert ids(created_before=yesterday) == [old]
    assert ids(status="ready", name="b") == []


def test_jobs_are_narrowed_by_dataset(api, rows):
    dataset_id = rows.dataset()
    job_id = rows.job(dataset_id=dataset_id)
    rows.job()
    assert [row["id"] for row in api.get("/v1/jobs", params={"dataset_id": dataset_id}).json()["data"]] == [job_id]


def test_items_are_paged_in_order_of_ingestion(api, rows, database):
    from store.tables import DatasetItem

    dataset_id = rows.dataset()
    with database.write() as session:
        session.add_all(DatasetItem(dataset_id=dataset_id, name=f"{i:02}", status="accepted") for i in range(25))
    first = api.get(f"/v1/datasets/{dataset_id}/items").json()
    rest = api.get(f"/v1/datasets/{dataset_id}/items", params={"cursor": first["next_cursor"]}).json()
    assert [row["name"] for row in first["data"] + rest["data"]] == [f"{i:02}" for i in range(25)]
    assert len(first["data"]) == 20
