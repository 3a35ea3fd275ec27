#!/usr/bin/env python3
"""Answers unleak's question "did you issue these tokens?": an example for issuers, with nothing but Python.

    token_lookup.py PORT KEY_FILE HASHES_FILE

KEY_FILE holds the signing key (whsec_ and base64) that unleak's configuration names as `credential`; HASHES_FILE the
SHA-256 of every token ever issued, revoked ones too, in hexadecimal, one a line. Yours would be a database.
"""

import base64
import hashlib
import hmac
import json
import pathlib
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = base64.b64decode(pathlib.Path(sys.argv[2]).read_text().strip().removeprefix("whsec_"))
ISSUED = set(pathlib.Path(sys.argv[3]).read_text().split())


def is_signed(headers, body):
    """Standard Webhooks 1.0.0: HMAC-SHA256 over id, time and raw body; no older than five minutes."""
    message_id, sent = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not sent.isdigit() or abs(time.time() - int(sent)) > 300:
        return False
    signed = f"{message_id}.{sent}.".encode() + body
    ours = "v1," + base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    theirs = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(ours, one) for one in theirs)


class Lookup(BaseHTTPRequestHandler):
    def do_POST(self):
        length = int(self.headers.get("content-length", "0"))
        body = self.rfile.read(min(length, 1 << 20))
        if not is_signed(self.headers, body):
            self.send_error(401)
            return
        asked = json.loads(body)["data"]["tokens"]
        tokens = [{"token_hash": one["token_hash"], "known": one["token_hash"] in ISSUED} for one in asked]
        answer = json.dumps({"tokens": tokens}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        """Says nothing: what was asked is nobody's business."""


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Lookup)
print(f"listening on http://127.0.0.1:{server.server_port}/", flush=True)
server.serve_forever()
