#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A data source of CSV files, as a program of its own: Grafana's plugin protocol in one page, without an SDK.

A plugin prints where it listens and answers gRPC there. Each query names a file: {"file": "temperatures.csv"}.
"""
import concurrent.futures
import json
import os
import pathlib
import signal
import sys
import tempfile
import threading

import backend_pb2 as pb
import backend_pb2_grpc as rpc
import grpc
import pyarrow as pa
import pyarrow.csv


def log(level, message, **fields):
    """One line of JSON on standard error becomes one line of the server's log."""
    line = {"@level": level, "@message": message, **fields}
    print(json.dumps(line), file=sys.stderr, flush=True)


def folder(context):
    """The folder that the data source was configured with."""
    settings = json.loads(context.dataSourceInstanceSettings.jsonData or b"{}")
    return pathlib.Path(settings.get("folder") or ".").resolve()


def path_of(context, name):
    """A file of the folder; names do not climb out of it."""
    path = (folder(context) / name).resolve()
    if not path.is_relative_to(folder(context)):
        raise ValueError(f"'{name}' is not a file of the folder")
    return path


def frame_of(table, name, ref_id):
    """An Arrow file as Grafana reads it: types that it knows, and its names in the metadata."""
    fields, columns = [], []
    for field, column in zip(table.schema, table.columns):
        if pa.types.is_temporal(field.type):
            kind, column = "time", column.cast(pa.timestamp("ns"))
        elif pa.types.is_boolean(field.type):
            kind = "boolean"
        elif pa.types.is_integer(field.type) or pa.types.is_floating(field.type):
            kind, column = "number", column.cast(pa.float64())
        else:
            kind, column = "string", column.cast(pa.string())
        columns.append(column)
        fields.append(pa.field(field.name, column.type, True, {"tstype": kind}))
    schema = pa.schema(fields, {"name": name, "refId": ref_id})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, schema) as writer:
        if table.num_rows:
            writer.write_table(pa.Table.from_arrays(columns, schema=schema).combine_chunks())
    return sink.getvalue().to_pybytes()


class Data(rpc.DataServicer):
    def QueryData(self, request, context):
        answer = pb.QueryDataResponse()
        for query in request.queries:
            response = answer.responses[query.refId]
            try:
                name = json.loads(query.json).get("file", "")
                table = pa.csv.read_csv(path_of(request.pluginContext, name))
                response.frames.append(frame_of(table, name, query.refId))
                response.status = 200
                log("info", "file read", file=name, rows=table.num_rows)
            except (OSError, ValueError, pa.ArrowException) as error:
                response.error, response.status, response.errorSource = str(error), 400, "downstream"
        return answer


class Diagnostics(rpc.DiagnosticsServicer):
    def CheckHealth(self, request, context):
        path = folder(request.pluginContext)
        if not path.is_dir():
            return pb.CheckHealthResponse(status=pb.CheckHealthResponse.ERROR, message=f"{path} is not a folder")
        count = len(list(path.glob("*.csv")))
        return pb.CheckHealthResponse(
            status=pb.CheckHealthResponse.OK, message=f"{count} files", jsonDetails=json.dumps({"files": count}).encode())


class Resource(rpc.ResourceServicer):
    def CallResource(self, request, context):
        if request.path != "files":
            yield pb.CallResourceResponse(code=404, body=b'{"message": "only files is known"}')
            return
        names = sorted(path.name for path in folder(request.pluginContext).glob("*.csv"))
        yield pb.CallResourceResponse(code=200, body=json.dumps(names).encode())


def main():
    if os.environ.get("grafana_plugin_type") != "datasource":
        sys.exit("This is a plugin of Grafana: install it into the plugins folder, the server starts it.")
    server = grpc.server(
        concurrent.futures.ThreadPoolExecutor(8), options=[("grpc.max_send_message_length", -1)])
    rpc.add_DataServicer_to_server(Data(), server)
    rpc.add_DiagnosticsServicer_to_server(Diagnostics(), server)
    rpc.add_ResourceServicer_to_server(Resource(), server)
    with tempfile.TemporaryDirectory(prefix="files-python-") as place:
        socket = f"{place}/plugin.sock"
        server.add_insecure_port(f"unix:{socket}")
        server.start()
        # The handshake: protocol of go-plugin, of Grafana, network, address, transport.
        print(f"1|2|unix|{socket}|grpc|", flush=True)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        threading.Event().wait()


main()
