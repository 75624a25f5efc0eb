"""A portal behind TLS that verifies signatures as the README shows: prints its port, then for each event whether it is genuine, and its body."""

import base64
import hashlib
import hmac
import http.server
import ssl
import sys
import time

folder, secret = sys.argv[1:]


class Portal(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        headers = self.headers
        key = base64.b64decode(secret.removeprefix("whsec_"))
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body}".encode()
        expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        genuine = hmac.compare_digest(expected, headers["webhook-signature"]) and abs(time.time() - int(headers["webhook-timestamp"])) < 300
        with open(f"{folder}/events", "a", encoding="utf-8") as events:
            events.write(f"{genuine} {body}\n")
        self.send_response(200 if genuine else 400)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Portal)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
