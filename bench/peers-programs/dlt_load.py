"""Loads the messages by dlt into a local folder.

Usage: dlt_load.py BASE_URL FOLDER parquet|delta columns|json

Written as a careful user would: both searches, deleted records too, pages of 500 up to the 10,000 records that one
query gives, then on from the last time seen. There is one table, which is less work than one for each kind of list:
with a column for each attribute and each related record, or with all attributes in one column of JSON.
"""

import pathlib
import sys

import dlt
from dlt.sources.helpers.rest_client import RESTClient
from dlt.sources.helpers.rest_client.auth import BearerTokenAuth
from dlt.sources.helpers.rest_client.paginators import PageNumberPaginator

PAGE, CEILING = 500, 10_000


def pages(client, reach, since):
    """Pages of one window: all that one query gives."""
    body = {
        "queryContext": "message",
        "includeDeleted": True,
        "and": [{"message_updated_at": {"gte": since}}],
        "sort": [{"message_updated_at": "asc"}],
    }
    paginator = PageNumberPaginator(base_page=1, total_path=None, maximum_page=CEILING // PAGE + 1)
    answers = client.paginate(
        f"/v1/customers/{reach}", "POST", {"pageSize": PAGE}, body, paginator=paginator, data_selector="data"
    )
    for page in answers:
        yield page
        # A short page is the last one: no need to ask for an empty one.
        if len(page) < PAGE:
            return


def windows(client, reach, since):
    known = set()
    while True:
        count, last = 0, since
        for page in pages(client, reach, since):
            count += len(page)
            yield [record for record in page if record["id"] not in known]
            if page:
                last = page[-1]["attributes"]["updatedAt"]
                known = {record["id"] for record in page if record["attributes"]["updatedAt"] == last}
        if count < CEILING:
            return
        if last == since:
            sys.exit("more records of one time than a query gives")
        since = last


def flat(record):
    """A record with a field for each attribute and each related record."""
    found = {}
    for name, relationship in record["relationships"].items():
        related = (relationship or {}).get("data")
        if isinstance(related, list):
            found[f"{name}_ids"] = [one["id"] for one in related]
        elif related:
            found[f"{name}_id"] = related["id"]
    return {"id": record["id"], **record["attributes"], **found}


def messages_from(base_url, disposition, table_format, columns):
    cursor = "updatedAt" if columns else "attributes.updatedAt"
    client = RESTClient(base_url, auth=BearerTokenAuth("sim-token"))

    @dlt.resource(
        name="messages",
        primary_key="id",
        write_disposition=disposition,
        table_format=table_format,
        max_table_nesting=0,
    )
    def messages(updated=dlt.sources.incremental(cursor, initial_value="2000-01-01T00:00:00.000Z")):
        for reach in ["search", "archive/search"]:
            for page in windows(client, reach, updated.start_value):
                yield [flat(record) for record in page] if columns else page

    return messages


def main(base_url, folder, form, shape):
    folder = pathlib.Path(folder).resolve()
    delta = form == "delta"
    disposition = {"disposition": "merge", "strategy": "upsert"} if delta else "append"
    messages = messages_from(base_url, disposition, "delta" if delta else None, shape == "columns")
    pipeline = dlt.pipeline(
        pipeline_name="measurement",
        pipelines_dir=str(folder / "work"),
        destination=dlt.destinations.filesystem(bucket_url=str(folder / "lake")),
        dataset_name="kustomer",
    )
    pipeline.run(messages, loader_file_format="parquet").raise_on_failed_jobs()


main(*sys.argv[1:])
