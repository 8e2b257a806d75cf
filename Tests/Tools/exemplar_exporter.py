#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An OpenMetrics exporter with exemplars: each scrape is one request more, with a trace id of its own.

Usage: exemplar_exporter.py PORT
"""
import http.server
import sys
import time


class Handler(http.server.BaseHTTPRequestHandler):
    scrapes = 0

    def do_GET(self):
        Handler.scrapes += 1
        count = Handler.scrapes
        exemplar = f'# {{trace_id="trace-{count}"}} 0.25 {time.time():.3f}'
        text = (
            "# TYPE shop_seconds histogram\n"
            f'shop_seconds_bucket{{le="0.5"}} {count} {exemplar}\n'
            f'shop_seconds_bucket{{le="+Inf"}} {count}\n'
            f"shop_seconds_sum {count * 0.25}\nshop_seconds_count {count}\n# EOF\n")
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
