"""An S3-compatible server that checks signatures and permissions, and keeps the promise of create-only puts.

Listens on a free loopback port, makes a user who may use one bucket and nothing else, prints
{"endpoint", "access_key_id", "secret_access_key"} on one line, and ends with its standard input.

Usage: storage.py BUCKET
"""

import json
import os
import sys

# The four calls below are made before anybody has a key; read when moto is imported.
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "4"

import boto3  # noqa: E402
from moto.server import ThreadedMotoServer  # noqa: E402

REGION = "us-east-1"


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
    iam.create_user(UserName="kustlake")
    key = iam.create_access_key(UserName="kustlake")["AccessKey"]
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": resources}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="kustlake", PolicyName="one-bucket", PolicyDocument=policy)
    s3.create_bucket(Bucket=bucket)
    told = {
        "endpoint": endpoint,
        "access_key_id": key["AccessKeyId"],
        "secret_access_key": key["SecretAccessKey"],
    }
    print(json.dumps(told), flush=True)
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main()
