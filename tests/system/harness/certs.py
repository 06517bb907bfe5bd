# SPDX-License-Identifier: BSD-3-Clause
"""Keys and certificates in the layout of QEMU's tls-creds-x509."""

import os
import secrets
import shutil
import subprocess

YEARS = "activation_date = \"2020-01-01 00:00:00\"\nexpiration_date = \"%s-01-01 00:00:00\"\n"
GOOD, PAST = YEARS % 2045, YEARS % 2021


def certtool(*argv):
    done = subprocess.run(["certtool", *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError("certtool %s: %s" % (" ".join(argv), done.stderr.strip()))


def make_key(path):
    certtool("--generate-privkey", "--key-type=ecdsa", "--sec-param=high", "--outfile", path)
    os.chmod(path, 0o600)


def make_template(path, text):
    with open(path, "w") as file:
        file.write(text)
    return path


class Authority:
    def __init__(self, directory, name):
        os.makedirs(directory, exist_ok=True)
        self.directory = directory
        self.key = os.path.join(directory, "ca-key.pem")
        self.certificate = os.path.join(directory, "ca-cert.pem")
        make_key(self.key)
        template = make_template(os.path.join(directory, "ca.info"),
                                 "cn = \"%s\"\nca\ncert_signing_key\n%s" % (name, GOOD))
        certtool("--generate-self-signed", "--load-privkey", self.key, "--template", template,
                 "--outfile", self.certificate)

    def issue(self, directory, role, expired=False, trust=None):
        """A credentials directory for role "server" or "client". `trust`: another authority whose
        certificate goes in as ca-cert.pem."""
        os.makedirs(directory, exist_ok=True)
        shutil.copy((trust or self).certificate, os.path.join(directory, "ca-cert.pem"))
        key = os.path.join(directory, role + "-key.pem")
        make_key(key)
        use = "tls_www_server" if role == "server" else "tls_www_client"
        text = "cn = \"%s.example\"\ndns_name = \"%s.example\"\n%s\nsigning_key\n%s" % (
            role, role, use, PAST if expired else GOOD)
        if role == "server":
            text += "ip_address = \"192.0.2.2\"\n"
        template = make_template(os.path.join(self.directory, role + ".info"), text)
        certtool("--generate-certificate", "--load-ca-certificate", self.certificate,
                 "--load-ca-privkey", self.key, "--load-privkey", key, "--template", template,
                 "--outfile", os.path.join(directory, role + "-cert.pem"))
        return directory


def make_psk(path, user="migration", key=None, mode=0o600):
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write("%s:%s\n" % (user, key or secrets.token_hex(32)))
    os.chmod(path, mode)
    return path
