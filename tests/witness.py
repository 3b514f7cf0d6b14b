"""Reads tables of a lake with five readers that share no code with kustlake, and prints what each of them sees.

Usage: witness.py LAKE TABLE...

LAKE is an absolute folder or s3://bucket/prefix; of S3, AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
are read from the environment. Prints {reader: {table: {...}}} with, for each table, the number of rows (`rows`), of rows
not deleted (`live`), [id, rev or null, updated_at in milliseconds, _deleted] of each row (`records`; the first column
where there is no id, null where there is no updated_at), the columns with
their types in DuckDB's words (`columns`), and the number of rows that differ in any column from what the first reader
saw (`differences`).
"""

import importlib
import json
import os
import pathlib
import sys
from urllib.parse import urlsplit

import deltalake
import duckdb
import polars

# Nobody is told that a test runs; Daft looks at this while it is imported.
os.environ.update(DO_NOT_TRACK="true", SCARF_NO_ANALYTICS="true", DAFT_ANALYTICS_ENABLED="0")
import daft  # noqa: E402


def connect() -> duckdb.DuckDBPyConnection:
    """DuckDB with its extensions from their packages; it never downloads one."""
    offline = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    connection = duckdb.connect(config=offline)
    for name in ("httpfs", "delta"):
        package = importlib.import_module(f"duckdb_extension_{name}")
        (file,) = pathlib.Path(package.__path__[0]).glob(f"extensions/v{duckdb.__version__}/{name}.duckdb_extension")
        connection.load_extension(str(file))
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def literal(text: str) -> str:
    """Text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def secret(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Lets DuckDB reach the S3 server of the environment, and gives the settings that the other readers need."""
    endpoint = urlsplit(os.environ["AWS_ENDPOINT_URL"])
    key, value = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
    connection.execute(
        f"CREATE SECRET (TYPE s3, KEY_ID '{key}', SECRET '{value}', REGION 'us-east-1', ENDPOINT '{endpoint.netloc}', "
        "URL_STYLE 'path', USE_SSL false)"
    )
    return {
        "aws_endpoint_url": endpoint.geturl(),
        "aws_access_key_id": key,
        "aws_secret_access_key": value,
        "aws_region": "us-east-1",
        "aws_allow_http": "true",
        "aws_virtual_hosted_style_request": "false",
    }


def spread_storage(storage: dict[str, str] | None) -> daft.io.IOConfig | None:
    """The same settings for Daft."""
    if storage is None:
        return None
    return daft.io.IOConfig(
        s3=daft.io.S3Config(
            endpoint_url=storage["aws_endpoint_url"],
            key_id=storage["aws_access_key_id"],
            access_key=storage["aws_secret_access_key"],
            region_name=storage["aws_region"],
            use_ssl=False,
            force_virtual_addressing=False,
        )
    )


def views(connection: duckdb.DuckDBPyConnection, lake: str) -> None:
    """Runs views.sql, so that each table is a view of its own name."""
    (text,) = connection.execute(f"SELECT content FROM read_text({literal(f'{lake}/views.sql')})").fetchone()
    connection.execute(text)


def seen(connection: duckdb.DuckDBPyConnection, relation: str, first: str, live: str) -> dict:
    """What a reader's relation holds."""
    columns = {name: kind for name, kind, *_ in connection.execute(f"DESCRIBE {relation}").fetchall()}
    rev = "rev" if "rev" in columns else "NULL"
    updated_at = "epoch_ms(updated_at)" if "updated_at" in columns else "NULL"
    key = "id" if "id" in columns else next(iter(columns))
    query = f"SELECT {key}, {rev}, {updated_at}, _deleted FROM {relation} ORDER BY ALL"
    records = connection.execute(query).fetchall()
    both = ((relation, first), (first, relation)) if relation != first else ()
    one = "SELECT count(*) FROM"
    differences = sum(
        connection.execute(f"{one} (SELECT * FROM {a} EXCEPT ALL SELECT * FROM {b})").fetchone()[0] for a, b in both
    )
    return {
        "rows": connection.execute(f"{one} {relation}").fetchone()[0],
        "live": connection.execute(f"{one} {live}").fetchone()[0],
        "records": records,
        "columns": columns,
        "differences": differences,
    }


def main() -> None:
    """Every reader, every table."""
    lake, tables = sys.argv[1].rstrip("/"), sys.argv[2:]
    connection = connect()
    storage = secret(connection) if lake.startswith("s3://") else None
    views(connection, lake)
    # These find no table in a local folder whose name has a space.
    others = () if " " in lake else ("polars", "daft")
    answer = {reader: {} for reader in ("delta_scan", "views", "deltalake", *others)}
    for table in tables:
        url = f"{lake}/{table}"
        connection.execute(f"CREATE VIEW delta_scan_{table} AS SELECT * FROM delta_scan({literal(url)})")
        connection.execute(f"CREATE VIEW views_{table} AS SELECT * FROM {table}")
        arrow = deltalake.DeltaTable(url, storage_options=storage).to_pyarrow_table()
        connection.register(f"deltalake_{table}", arrow)
        if others:
            frame = polars.read_delta(url, storage_options=storage)
            connection.register(f"polars_{table}", frame.to_arrow())
            # An engine that spreads its work over many machines where there are many; here it has one.
            connection.register(f"daft_{table}", daft.read_deltalake(url, io_config=spread_storage(storage)).to_arrow())
        for reader in answer:
            relation = f"{reader}_{table}"
            live = f"{table}_live" if reader == "views" else f"{relation} WHERE NOT _deleted"
            answer[reader][table] = seen(connection, relation, f"delta_scan_{table}", live)
    json.dump(answer, sys.stdout)
    sys.stdout.flush()
    # All is said. Now and then a thread of Arrow that still runs when Python takes leave aborts the process.
    os._exit(0)


if __name__ == "__main__":
    main()
