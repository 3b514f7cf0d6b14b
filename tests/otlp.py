"""Prints as JSON what an export request of OpenTelemetry's metrics holds: the resource, and each point by name and labels.

Usage: otlp.py FILE
"""

import json
import sys

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest


def plain(attributes):
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


def main(path):
    with open(path, "rb") as file:
        request = ExportMetricsServiceRequest.FromString(file.read())
    (of_resource,) = request.resource_metrics
    metrics = {}
    for scope in of_resource.scope_metrics:
        for metric in scope.metrics:
            points = metric.gauge.data_points
            metrics[metric.name] = [{"labels": plain(point.attributes), "value": point.as_double} for point in points]
    print(json.dumps({"resource": plain(of_resource.resource.attributes), "metrics": metrics}))


main(*sys.argv[1:])
