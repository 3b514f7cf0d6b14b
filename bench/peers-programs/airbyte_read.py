"""Reads the messages by a declarative source of Airbyte's CDK, and writes its messages to the standard output.

Usage: airbyte_read.py BASE_URL FOLDER END DAYS

The manifest asks both searches, for deleted records too, in windows of DAYS days until END: each has to stay below
the 10,000 records that one query gives.
"""

import json
import pathlib
import sys

from airbyte_cdk.entrypoint import launch
from airbyte_cdk.sources.declarative.concurrent_declarative_source import ConcurrentDeclarativeSource


def requester(base_url):
    window = {"gte": "{{ stream_interval['start_time'] }}", "lte": "{{ stream_interval['end_time'] }}"}
    return {
        "type": "HttpRequester",
        "url_base": base_url,
        "path": "/v1/customers/{{ stream_partition['reach'] }}",
        "http_method": "POST",
        "authenticator": {"type": "BearerAuthenticator", "api_token": "sim-token"},
        "request_body_json": {
            "queryContext": "message",
            "includeDeleted": True,
            "and": [{"message_updated_at": window}],
            "sort": [{"message_updated_at": "asc"}],
        },
    }


def paginator():
    def parameter(name):
        return {"type": "RequestOption", "inject_into": "request_parameter", "field_name": name}

    return {
        "type": "DefaultPaginator",
        "page_token_option": parameter("page"),
        "page_size_option": parameter("pageSize"),
        "pagination_strategy": {
            "type": "PageIncrement",
            "page_size": 500,
            "start_from_page": 1,
            "inject_on_first_request": True,
        },
    }


def cursor(end, days):
    form = "%Y-%m-%dT%H:%M:%S.%_msZ"
    return {
        "type": "DatetimeBasedCursor",
        "cursor_field": "updatedAt",
        "datetime_format": form,
        "cursor_datetime_formats": [form],
        # Nothing of this organisation is older than three years.
        "start_datetime": {"type": "MinMaxDatetime", "datetime": "2023-08-01T00:00:00.000Z", "datetime_format": form},
        "end_datetime": {"type": "MinMaxDatetime", "datetime": end, "datetime_format": form},
        "step": f"P{days}D",
        "cursor_granularity": "PT0.001S",
    }


def manifest(base_url, end, days):
    reaches = {"type": "ListPartitionRouter", "cursor_field": "reach", "values": ["search", "archive/search"]}
    retriever = {
        "type": "SimpleRetriever",
        "requester": requester(base_url),
        "record_selector": {"type": "RecordSelector", "extractor": {"type": "DpathExtractor", "field_path": ["data"]}},
        "paginator": paginator(),
        "partition_router": reaches,
    }
    # The cursor has to be a field of the record itself.
    lifted = {"path": ["updatedAt"], "value": "{{ record['attributes']['updatedAt'] }}", "type": "AddedFieldDefinition"}
    stream = {
        "type": "DeclarativeStream",
        "name": "messages",
        "primary_key": "id",
        "retriever": retriever,
        "incremental_sync": cursor(end, days),
        "transformations": [{"type": "AddFields", "fields": [lifted]}],
        "schema_loader": {"type": "InlineSchemaLoader", "schema": {"type": "object", "properties": {}}},
    }
    return {
        "version": "6.0.0",
        "type": "DeclarativeSource",
        "check": {"type": "CheckStream", "stream_names": ["messages"]},
        "streams": [stream],
        "spec": {"type": "Spec", "connection_specification": {"type": "object", "properties": {}}},
        "concurrency_level": {"type": "ConcurrencyLevel", "default_concurrency": 4},
    }


def main(base_url, folder, end, days):
    folder = pathlib.Path(folder)
    stream = {"name": "messages", "json_schema": {}, "supported_sync_modes": ["full_refresh", "incremental"]}
    chosen = {"stream": stream, "sync_mode": "incremental", "destination_sync_mode": "append"}
    (folder / "config.json").write_text("{}")
    (folder / "catalog.json").write_text(json.dumps({"streams": [chosen]}))
    source = ConcurrentDeclarativeSource(config={}, source_config=manifest(base_url, end, int(days)))
    launch(source, ["read", "--config", str(folder / "config.json"), "--catalog", str(folder / "catalog.json")])


main(*sys.argv[1:])
