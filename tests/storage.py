"""An S3-compatible server that checks signatures and permissions, and keeps the promise of create-only puts.

Listens on a free loopback port, makes a user who may use one bucket and nothing else, prints
{"endpoint", "access_key_id", "secret_access_key"} on one line, and ends with its standard input. For each line that
comes in there, it revokes the key, or makes a new one if there is none, and prints one such line again.

Usage: storage.py BUCKET
"""

import functools
import json
import os
import sys
import threading

# The four calls below are made before anybody has a key; read when moto is imported.
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "4"

import boto3  # noqa: E402
from moto.core import DEFAULT_ACCOUNT_ID  # noqa: E402
from moto.iam.models import iam_backends  # noqa: E402
from moto.s3.responses import S3Response  # noqa: E402
from moto.server import ThreadedMotoServer  # noqa: E402

REGION = "us-east-1"
USER = "kustlake"


def one_at_a_time(method):
    """Makes one step of a method that looks first and writes later, and would let two racing puts both win."""
    lock = threading.Lock()

    @functools.wraps(method)
    def locked(*args, **kwargs):
        with lock:
            return method(*args, **kwargs)

    return locked


S3Response.put_object = one_at_a_time(S3Response.put_object)


def tell(endpoint: str, key: str, secret: str) -> None:
    """Says how to reach the server."""
    told = {"endpoint": endpoint, "access_key_id": key, "secret_access_key": secret}
    print(json.dumps(told), flush=True)


def main() -> None:
    """Serves until standard input ends."""
    bucket = sys.argv[1]
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    root = {
        "endpoint_url": endpoint,
        "region_name": REGION,
        "aws_access_key_id": "nobody",
        "aws_secret_access_key": "nothing",
    }
    iam, s3 = boto3.client("iam", **root), boto3.client("s3", **root)
    iam.create_user(UserName=USER)
    key = iam.create_access_key(UserName=USER)["AccessKey"]
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": resources}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=USER, PolicyName="one-bucket", PolicyDocument=policy)
    s3.create_bucket(Bucket=bucket)
    tell(endpoint, key["AccessKeyId"], key["SecretAccessKey"])
    users = iam_backends[DEFAULT_ACCOUNT_ID]["aws"]
    for _ in sys.stdin:
        if keys := users.list_access_keys(USER):
            users.delete_access_key(keys[0].access_key_id, USER)
            tell(endpoint, "", "")
        else:
            made = users.create_access_key(USER)
            tell(endpoint, made.access_key_id, made.secret_access_key)
    server.stop()


if __name__ == "__main__":
    main()
