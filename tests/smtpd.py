"""A mail server that tests talk to: STARTTLS and a password, as real ones want, and a way to go wrong, named on the command line.

    smtpd.py FOLDER MODE

prints the port it listens on, and keeps each mail it took as a file in FOLDER, where `cert.pem` and `key.pem` are its own. Modes:
ok; full (452 after the mail), spam (554 after the mail), busy (451 at the sender), nobody (550 at the recipient), stranger (535 at
the password), silent (takes the mail and breaks off), cut (breaks off before the mail), gone (takes one mail and leaves).

Needs `aiosmtpd` from PyPI; `.ci/run` installs it and names the Python in PAYJOURNAL_SMTPD_PYTHON.
"""

import asyncio
import os
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

folder, mode = sys.argv[1], sys.argv[2]
taken = 0


def authenticated(server, session, envelope, mechanism, data):
    is_known = isinstance(data, LoginPassword) and (data.login, data.password) == (b"shop", b"s3cret")
    return AuthResult(success=is_known and mode != "stranger", handled=False)


class Handler:
    async def handle_MAIL(self, server, session, envelope, address, options):
        # Never in the middle of the next mail: of that nobody would know whether it arrived.
        if mode == "gone" and taken:
            os._exit(0)
        if mode == "busy":
            return "451 4.3.0 try again later"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if mode == "nobody" or address.startswith("nobody@"):
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        global taken
        if mode == "full":
            return "452 4.2.2 mailbox full"
        if mode == "spam":
            return "554 5.7.1 rejected"
        taken += 1
        head = f"X-Peer: {session.host_name}\r\nX-To: {','.join(envelope.rcpt_tos)}\r\nX-TLS: {session.ssl is not None}\r\n"
        with open(os.path.join(folder, f"{taken}.eml"), "wb") as file:
            file.write(head.encode() + envelope.original_content)
        if mode == "silent":
            server.transport.abort()
        if mode == "gone":
            asyncio.get_running_loop().call_later(0.05, os._exit, 0)
        return "250 2.0.0 OK"


class Server(SMTP):
    async def smtp_DATA(self, argument):
        if mode == "cut":
            self.transport.abort()
            return
        await super().smtp_DATA(argument)


def connection():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem"))
    return Server(
        Handler(),
        hostname="localhost",
        tls_context=context,
        require_starttls=True,
        auth_required=True,
        authenticator=authenticated,
    )


async def main():
    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
