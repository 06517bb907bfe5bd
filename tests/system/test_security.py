# SPDX-License-Identifier: BSD-3-Clause
"""Only a peer with the right credentials gets anywhere, and before any page."""

import os
import re

from harness import certs, memory_image
from harness.registry import check, system_test


def small_image(context):
    path = context.shm("source.img")
    memory_image.make_image(path, 16, memory_image.made_up(), 8)
    return path


def transfer(context, send_security, receive_security):
    """Sender and receiver of a small image with these credentials, started."""
    source, destination = small_image(context), context.shm("destination.img")
    receiver = context.endpoint("recv", ["--mem", "ram=" + destination],
                                security=receive_security)
    receiver.wait_listening()
    sender = context.endpoint("send", ["--mem", "ram=" + source], security=send_security)
    return sender, receiver, source, destination


def check_refused(context, send_security, receive_security, said):
    sender, receiver, _, destination = transfer(context, send_security, receive_security)
    result = sender.expect(2)
    check(re.search(said, result.stderr, re.I), "the sender does not say %r\n%s", said,
          sender.log())
    written = memory_image.data_bytes(destination) if os.path.exists(destination) else 0
    check(written == 0, "%d bytes got to the destination", written)
    # the receiver still waits for the right one
    check(receiver.process.poll() is None, "the receiver gave up\n%s", receiver.log())


@system_test()
def pre_shared_key_is_accepted(context):
    sender, receiver, source, destination = transfer(context, None, None)
    sender.expect(0)
    receiver.expect(0)
    check(memory_image.first_difference(source, destination) is None, "the image differs")


@system_test()
def certificates_are_accepted(context):
    authority = certs.Authority(context.path("ca"), "test authority")
    server = authority.issue(context.path("server"), "server")
    client = authority.issue(context.path("client"), "client")
    sender, receiver, source, destination = transfer(context, ["--tls-creds", client],
                                                     ["--tls-creds", server])
    sender.expect(0)
    receiver.expect(0)
    check(memory_image.first_difference(source, destination) is None, "the image differs")


@system_test()
def wrong_key_is_refused_and_the_right_one_still_served(context):
    wrong = certs.make_psk(context.path("wrong"))
    sender, receiver, source, destination = transfer(context, ["--psk", wrong], None)
    sender.expect(2)
    check(receiver.process.poll() is None, "the receiver gave up\n%s", receiver.log())
    again = context.endpoint("send", ["--mem", "ram=" + source])
    again.expect(0)
    receiver.expect(0)
    check(memory_image.first_difference(source, destination) is None, "the image differs")


@system_test()
def unknown_user_is_refused(context):
    stranger = certs.make_psk(context.path("stranger"), user="stranger")
    check_refused(context, ["--psk", stranger], None, r"refus|handshake|authenti|key|crypto")


@system_test(cases=[dict(whose="client"), dict(whose="server")])
def foreign_certificate_is_refused(context, whose):
    ours = certs.Authority(context.path("ca"), "test authority")
    other = certs.Authority(context.path("other-ca"), "other authority")
    parts = {}
    for role in ("client", "server"):
        # the foreign one trusts the right authority, so that only its own proof is wrong
        issuer = other if role == whose else ours
        parts[role] = issuer.issue(context.path(role), role)
    check_refused(context, ["--tls-creds", parts["client"]], ["--tls-creds", parts["server"]],
                  r"certificate|refus|handshake|authenti|crypto")


@system_test(cases=[dict(whose="client"), dict(whose="server")])
def expired_certificate_is_refused_where_it_is(context, whose):
    authority = certs.Authority(context.path("ca"), "test authority")
    role, words = ("send", "client") if whose == "client" else ("recv", "server")
    directory = authority.issue(context.path(words), words, expired=True)
    path = small_image(context)
    endpoint = context.endpoint(role, ["--mem", "ram=" + path],
                                security=["--tls-creds", directory])
    result = endpoint.expect(1)
    check(re.search(r"expired|no longer valid", result.stderr), "it does not say expired\n%s",
          endpoint.log())


@system_test(cases=[dict(sender="insecure", receiver="psk"), dict(sender="psk", receiver="x509"),
                    dict(sender="insecure", receiver="x509")])
def credentials_of_another_kind_are_refused(context, sender, receiver):
    authority = certs.Authority(context.path("ca"), "test authority")
    words = {"insecure": ["--insecure"], "psk": None,
             "x509": ["--tls-creds", authority.issue(context.path("server"), "server")]}
    check_refused(context, words[sender], words[receiver],
                  r"refus|handshake|authenti|certificate|key|crypto")


@system_test(cases=[dict(role="send"), dict(role="recv")])
def no_credentials_is_a_usage_error(context, role):
    result = context.endpoint(role, ["--mem", "ram=" + small_image(context)],
                              security=[]).expect(1)
    for word in ("--tls-creds", "--psk", "--insecure"):
        check(word in result.stderr, "it does not name %s: %s", word, result.stderr)
